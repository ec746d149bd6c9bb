/** Never called: the source that this package declares is not granted, so it is never dialled. */
export function handleIngress() {
  return {}
}
