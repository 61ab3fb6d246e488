// The current room in the page's address, as in "#/Lobby": it can be bookmarked and shared, and Back goes back.

/** @returns {string | null} */
export function roomInAddress() {
    const { hash } = location
    if (!hash.startsWith('#/') || hash.length < 3)
        return null
    try {
        return decodeURIComponent(hash.slice(2)).normalize('NFC')
    } catch (error) {
        console.warn('the address names no room', error)
        return null
    }
}

/** The room that the address is known to name. What somebody has just put there is not known before its event comes. */
let known = roomInAddress()

/** Calls `visit` with the room that somebody has put into the address. @param {(room: string) => void} visit */
export function followAddress(visit) {
    addEventListener('hashchange', () => {
        known = roomInAddress()
        if (known !== null)
            visit(known)
    })
}

/** Leaves an address alone that somebody has changed since, unless the room changes too. @param {string | null} room */
export function showInAddress(room) {
    if (room === null || room === known)
        return
    const before = known
    known = room
    const hash = `#/${encodeURIComponent(room)}`
    if (before === null)
        history.replaceState(null, '', hash)
    else
        history.pushState(null, '', hash)
}
