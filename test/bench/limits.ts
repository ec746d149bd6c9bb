/** How many connections both sides of a comparison dial at most at once, so that no queue of the kernel's overflows. */
export const AT_ONCE = 1000
