/**
 * What editors and desktops leave beside a file for as long as somebody works
 * on it, by its name. Only `mooring dev` looks away: for whoever enables a
 * package, each file of it counts.
 */

// Swap files of vim, nano and kate; locks and autosaves of emacs; backups; locks of office programs; desktops.
const PASSING = /^(?:\.(?:.*\.)?sw[a-p]|\..*\.kate-swp|\.#.*|#.*#|.*~|\.~lock\..*#|\.DS_Store|Thumbs\.db)$/su

/** Whether a file of this name comes and goes with whoever edits another. */
export const isPassing = (name: string): boolean => PASSING.test(name)
