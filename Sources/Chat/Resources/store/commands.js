// What people ask for: each command changes the state and may have something to tell the server.

import { makeRoom, markRead } from './room.js'
import { askOlder, currentRoom, joinMessage, pursue, sendMessage, withNotice, withRoom, yields } from './step.js'

/** @typedef {import('../store.js').State} State */
/** @typedef {import('../store.js').Step} Step */

/** The protocol asks for at most one `typing` in this time. */
const TYPING_EVERY = 2000

/** @param {State} state @param {{room: string}} event @returns {Step} */
export function open(state, event) {
    const exists = state.joined.has(event.room) || state.rooms.some((room) => room.name === event.room)
    return exists || !state.online ? enter(state, event) : yields(withNotice(state, 'no-such-room'))
}

/** Makes a room the current one, and joins it if need be. @param {State} state @param {{room: string}} event */
function enter(state, { room: name }) {
    let next = leaveMarker(state, name)
    const out = []
    let room = next.joined.get(name)
    if (room === undefined) {
        room = makeRoom(name)
        if (state.online)
            out.push(joinMessage(room))
    }
    next = withRoom({ ...next, current: name, watching: false }, room.read === null ? room : markRead(room))
    return yields(next, ...out)
}

/** The line has served its purpose once the reader goes elsewhere. @param {State} state @param {string} next */
function leaveMarker(state, next) {
    const room = state.current === null || state.current === next ? undefined : state.joined.get(state.current)
    return room === undefined || room.marker === null ? state : withRoom(state, { ...room, marker: null })
}

/** @param {State} state @param {{room: string}} event @returns {Step} */
export function create(state, event) {
    const opened = enter(state, event)
    if (state.rooms.some((room) => room.name === event.room))
        return opened
    // `known`, so that a server which has not heard of it yet makes it at the next welcome.
    const known = { ...opened.state.joined.get(event.room), known: true }
    const out = state.online ? [{ type: 'create', room: event.room }, ...opened.out] : []
    return yields(withRoom(opened.state, known), ...out)
}

/** @param {State} state @param {{room: string}} event @returns {Step} */
export function leave(state, { room }) {
    const joined = new Map(state.joined)
    // The last room stays: there is always one to write in.
    if (joined.size < 2 || !joined.delete(room))
        return yields(state)
    const outbox = state.outbox.filter((pending) => pending.room !== room || pending.refused === undefined)
    const out = state.online ? [{ type: 'leave', room }] : []
    const next = { ...state, joined, outbox }
    if (state.current !== room)
        return yields(next, ...out)
    const opened = enter({ ...next, current: null }, { room: joined.keys().next().value })
    return yields(opened.state, ...out, ...opened.out)
}

/** @param {State} state @param {{name: string}} event @returns {Step} */
export function rename(state, { name }) {
    // Connected, the name is changed when the server says so; otherwise it is what `hello` will say.
    return state.online ? yields(state, { type: 'name', name }) : yields({ ...state, name })
}

/** @param {State} state @param {{text: string, key: string, now: number}} event @returns {Step} */
export function send(state, { text, key, now }) {
    const pending = { key, room: state.current, text, at: now }
    const queued = { ...state, outbox: [...state.outbox, pending], own: new Set(state.own).add(key) }
    const room = currentRoom(state)
    if (room === undefined)
        return yields(queued)
    const next = withRoom(queued, { ...markRead(room), marker: null })
    return room.live ? yields(next, sendMessage(pending)) : yields(next)
}

/** @param {State} state @param {{key: string}} event @returns {Step} */
export function retry(state, { key }) {
    const refused = state.outbox.find((pending) => pending.key === key)
    if (refused === undefined)
        return yields(state)
    const { refused: _, ...pending } = refused
    const outbox = [...state.outbox.filter((entry) => entry !== refused), pending]
    const live = state.joined.get(pending.room)?.live === true
    return live ? yields({ ...state, outbox }, sendMessage(pending)) : yields({ ...state, outbox })
}

/** @param {State} state @param {{key: string}} event @returns {Step} */
export function discard(state, { key }) {
    return yields({ ...state, outbox: state.outbox.filter((pending) => pending.key !== key) })
}

/** @param {State} state @returns {Step} */
export function older(state) {
    const room = currentRoom(state)
    return room === undefined ? yields(state) : askOlder(state, room)
}

/** @param {State} state @param {{now: number}} event @returns {Step} */
export function typing(state, { now }) {
    if (!currentRoom(state)?.live || now - state.typedAt < TYPING_EVERY)
        return yields(state)
    return yields({ ...state, typedAt: now }, { type: 'typing', room: state.current })
}

/** @param {State} state @param {{watching: boolean}} event @returns {Step} */
export function watch(state, { watching }) {
    if (watching === state.watching)
        return yields(state)
    const room = currentRoom(state)
    const next = { ...state, watching }
    return yields(watching && room?.live ? withRoom(next, markRead(room)) : next)
}

/** @param {State} state @param {{query: string, room: string | null}} event @returns {Step} */
export function search(state, { query, room }) {
    const { search: last } = state
    if (query === last.query && room === last.room)
        return yields(state)
    if (query === '')
        return yields({ ...state, search: { ...last, query, room, results: null } })
    const asked = state.online
    const outstanding = last.outstanding + (asked ? 1 : 0)
    // The results of the query before stay until there are new ones, so that the list does not flicker.
    const results = last.query === '' ? null : last.results
    const next = { ...state, search: { query, room, results, outstanding, complete: last.complete } }
    return asked ? yields(next, { type: 'search', query, room }) : yields(next)
}

/** @param {State} state @param {{room: string, id: number}} event @returns {Step} */
export function jump(state, { room, id }) {
    const opened = enter(state, { room })
    const pursued = pursue({ ...opened.state, target: { room, id } })
    return yields(pursued.state, ...opened.out, ...pursued.out)
}

/** @param {State} state @returns {Step} */
export function arrived(state) {
    return yields({ ...state, target: null })
}
