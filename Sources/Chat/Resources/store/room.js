// One room as this page knows it: a gap-free window of its messages, and what has been read of them.
// Pure functions; a changed room is a new object, an unchanged one the same object.

/**
 * A message as the server stores it.
 * @typedef {{id: number, room: string, name: string, text: string, at: number, key?: string}} Message
 */

/** @typedef {{member: number, name: string}} Member */

/**
 * @typedef {object} Room
 * @property {string} name
 * @property {readonly Message[]} messages ascending ids, each once, nothing missing in between once `live`
 * @property {number | null} cursor the id up to which nothing is missing; the `after` of the next `join`
 * @property {boolean} live the catch-up of this connection is done
 * @property {boolean} known this page has once been live here
 * @property {boolean} older the server has messages before the first
 * @property {boolean} loading a page of older messages is on its way
 * @property {number | null} read the greatest id read; null before the first visit
 * @property {number | null} marker the "new messages" line stands after this id
 * @property {readonly Member[]} members
 * @property {readonly (Member & {until: number})[]} typing
 */

/**
 * @param {string} name
 * @param {number | null} read
 * @returns {Room}
 */
export function makeRoom(name, read = null) {
    return {
        name,
        messages: [],
        cursor: null,
        live: false,
        known: false,
        older: false,
        loading: false,
        read,
        marker: null,
        members: [],
        typing: [],
    }
}

/** @param {Room} room @returns {number | null} */
export function firstId(room) {
    return room.messages.length > 0 ? room.messages[0].id : null
}

/** @param {Room} room @returns {number | null} */
export function lastId(room) {
    return room.messages.length > 0 ? room.messages[room.messages.length - 1].id : null
}

/**
 * Merges two lists into one of ascending ids, each once. The messages of `known` win, and `known` itself is
 * returned when nothing is new.
 * @param {readonly Message[]} known ascending
 * @param {readonly Message[]} more in any order
 * @returns {readonly Message[]}
 */
export function merge(known, more) {
    const have = new Set(known.map((message) => message.id))
    const fresh = []
    for (const message of more) {
        if (have.has(message.id))
            continue
        have.add(message.id)
        fresh.push(message)
    }
    if (fresh.length === 0)
        return known
    return [...known, ...fresh].sort((a, b) => a.id - b.id)
}

/**
 * Adds one message. The usual case, a message newer than all, does not look at the others.
 * @param {readonly Message[]} known ascending
 * @param {Message} message
 * @returns {readonly Message[]}
 */
export function insert(known, message) {
    const last = known[known.length - 1]
    return last === undefined || last.id < message.id ? [...known, message] : merge(known, [message])
}

/**
 * How many messages of other people stand after the greatest id read.
 * @param {Room} room
 * @param {ReadonlySet<string>} own keys of the messages sent from here
 */
export function unread(room, own) {
    if (room.read === null)
        return 0
    let count = 0
    for (let i = room.messages.length - 1; i >= 0 && room.messages[i].id > room.read; i -= 1) {
        if (!own.has(room.messages[i].key ?? ''))
            count += 1
    }
    return count
}

/**
 * All of the room has been read. In an empty room that is id 0, so that the first message to come is unread.
 * @param {Room} room
 * @returns {Room}
 */
export function markRead(room) {
    const last = lastId(room) ?? (room.live ? 0 : null)
    return last === null || last === room.read ? room : { ...room, read: last }
}

/**
 * Keeps `read` and `marker` true after messages were added at the end: the line stands where the unread began.
 * @param {Room} before
 * @param {Room} after
 * @param {{own: ReadonlySet<string>, watched: boolean}} reader `watched`: somebody is looking at the end of the room
 * @returns {Room}
 */
export function noticeUnread(before, after, { own, watched }) {
    // On a first visit all is history. A greatest id read that lies ahead is of another database.
    if (after.read === null || (after.live && after.read > (lastId(after) ?? 0)))
        return after.live ? markRead(after) : after
    const started = unread(before, own) === 0 && unread(after, own) > 0
    // After a reload the line is wanted also under the reader's eyes; live messages need none there.
    if (started && (!watched || !before.known))
        after = { ...after, marker: after.read }
    return watched ? markRead(after) : after
}

/** With more messages than `MOST` a page grows slow; then only the newest `KEPT` stay. */
export const MOST = 6000
export const KEPT = 3000

/**
 * Lets the oldest messages of a long room go, which scroll-back brings again. Not while a page of them is on its way:
 * it would not join on to what is left.
 * @param {Room} room
 * @returns {Room}
 */
export function trim(room) {
    if (room.messages.length <= MOST || room.loading)
        return room
    return { ...room, messages: room.messages.slice(-KEPT), older: true }
}

/**
 * The connection is gone: what it had promised is no longer so.
 * @param {Room} room
 * @returns {Room}
 */
export function disconnected(room) {
    // Without a cursor the next join brings the newest page; what is here might leave a gap before it.
    const messages = room.cursor === null ? [] : room.messages
    return { ...room, messages, live: false, loading: false, typing: [] }
}
