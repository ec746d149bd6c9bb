/**
 * The tests that mostly wait, all at once: each has processes of its own and, where it needs them, namespaces.
 */
import "./exhausted.ts"
import "./line.ts"
import "./moves.ts"
import "./mtu.ts"
import "./names.ts"
import "./nat.ts"
import "./outages.ts"
import "./slow.ts"
import "./stopped.ts"
