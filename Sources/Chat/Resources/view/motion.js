// Whether things may move.

const reduced = matchMedia('(prefers-reduced-motion: reduce)')

export function motionAllowed() {
    return !reduced.matches
}
