// Small helpers that commands and received messages share.

import { firstId, lastId } from './room.js'

/** @typedef {import('../store.js').State} State */
/** @typedef {import('../store.js').Step} Step */
/** @typedef {import('./room.js').Room} Room */

/** How many messages a page of scroll-back asks for, and how many on the way to a message found by search. */
const PAGE = 50
const LONGEST_PAGE = 100

/** @param {State} state @param {...object} out @returns {Step} */
export function yields(state, ...out) {
    return { state, out }
}

/** @param {State} state @param {Room} room @returns {State} */
export function withRoom(state, room) {
    if (state.joined.get(room.name) === room)
        return state
    return { ...state, joined: new Map(state.joined).set(room.name, room) }
}

/** @param {State} state @returns {Room | undefined} */
export function currentRoom(state) {
    return state.current === null ? undefined : state.joined.get(state.current)
}

/** @param {State} state @param {string} code @param {string} [words] @returns {State} */
export function withNotice(state, code, words = '') {
    return { ...state, notice: { serial: (state.notice?.serial ?? 0) + 1, code, words } }
}

/** @param {Room} room @returns {object} */
export function joinMessage(room) {
    return { type: 'join', room: room.name, after: room.cursor }
}

/** @param {import('../store.js').Pending} pending @returns {object} */
export function sendMessage({ room, key, text }) {
    return { type: 'send', room, key, text }
}

/** Asks for the page before the room's first message, unless one is on its way. @param {State} state @param {Room} room
 * @returns {Step} */
export function askOlder(state, room, limit = PAGE) {
    if (!state.online || !room.live || !room.older || room.loading || room.messages.length === 0)
        return yields(state)
    const next = withRoom(state, { ...room, loading: true })
    return yields(next, { type: 'history', room: room.name, before: firstId(room), limit })
}

/**
 * Goes on towards the message that is to be shown: it may be here, or some pages further back, or nowhere.
 * @param {State} state
 * @returns {Step}
 */
export function pursue(state) {
    const { target } = state
    const room = target === null ? undefined : state.joined.get(target.room)
    if (room === undefined || !room.live)
        return yields(state)
    const first = firstId(room)
    if (first !== null && first > target.id && room.older)
        return askOlder(state, room, LONGEST_PAGE)
    if (room.messages.some((message) => message.id === target.id))
        return yields(state)
    // A live message may be on its way still; anything older than what is here has gone.
    if (target.id > (lastId(room) ?? 0))
        return yields(state)
    return yields(withNotice({ ...state, target: null }, 'gone'))
}
