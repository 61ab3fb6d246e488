// The client's half of the chat protocol, as a step function: an event goes in, the next state and the messages
// for the server come out. No DOM, no socket, no clock: the time and the random keys are in the events.

import * as commands from './store/commands.js'
import * as received from './store/received.js'
import { disconnected, makeRoom } from './store/room.js'

/** @typedef {import('./store/room.js').Room} Room */
/** @typedef {import('./store/room.js').Message} Message */

/**
 * A message that the server has not acknowledged. `refused` is the error that it answered, if it did.
 * `room` is null when it was written before the first welcome; that names the room.
 * @typedef {{key: string, room: string | null, text: string, at: number,
 *     refused?: {code: string, words: string}}} Pending
 */

/**
 * @typedef {object} Search
 * @property {string} query as sent; '' when there is no search
 * @property {string | null} room null: all rooms
 * @property {readonly Message[] | null} results null until they are here
 * @property {number} outstanding how many answers are still to come
 * @property {boolean} complete the server has looked at all messages, or found as many as it tells
 */

/**
 * @typedef {object} State
 * @property {boolean} online the server has welcomed this connection
 * @property {number | null} retryAt when the next attempt to connect begins, if one is waiting
 * @property {string | null} name
 * @property {number | null} member this connection's number
 * @property {number} textLimit
 * @property {readonly {name: string, members: number}[]} rooms all that the server has
 * @property {ReadonlyMap<string, Room>} joined those taken part in
 * @property {string | null} current
 * @property {readonly Pending[]} outbox in the order written
 * @property {ReadonlySet<string>} own keys of the messages sent from here
 * @property {boolean} watching the page is visible and shows the end of the current room
 * @property {{room: string, id: number} | null} target a message on its way to be shown
 * @property {Search} search
 * @property {number} typedAt when `typing` was last sent
 * @property {{serial: number, code: string, words: string} | null} notice the last error worth telling
 */

/** What a step yields. @typedef {{state: State, out: object[]}} Step */

/**
 * @param {object} saved what an earlier visit left
 * @param {string | null} [saved.name]
 * @param {readonly {name: string, read: number | null}[]} [saved.rooms]
 * @param {string | null} [saved.current]
 * @param {readonly Pending[]} [saved.outbox]
 * @param {readonly string[]} [saved.own]
 * @returns {State}
 */
export function initial({ name = null, rooms = [], current = null, outbox = [], own = [] } = {}) {
    const joined = new Map(rooms.map((room) => [room.name, makeRoom(room.name, room.read)]))
    for (const pending of outbox) {
        if (pending.room !== null && !joined.has(pending.room))
            joined.set(pending.room, makeRoom(pending.room))
    }
    return {
        online: false,
        retryAt: null,
        name,
        member: null,
        textLimit: 4000,
        rooms: [],
        joined,
        current,
        outbox,
        own: new Set([...own, ...outbox.map((pending) => pending.key)]),
        watching: false,
        target: null,
        search: { query: '', room: null, results: null, outstanding: 0, complete: true },
        typedAt: 0,
        notice: null,
    }
}

/**
 * @param {State} state
 * @param {{type: string}} event
 * @returns {Step}
 */
export function step(state, event) {
    const handle = handlers.get(event.type)
    if (handle === undefined)
        throw new TypeError(`unknown event: ${event.type}`)
    return handle(state, event)
}

/** @param {State} state @returns {Step} */
function opened(state) {
    return { state: { ...state, retryAt: null }, out: [{ type: 'hello', name: state.name, changes: true }] }
}

/** @param {State} state @param {{retryAt: number}} event @returns {Step} */
function closed(state, { retryAt }) {
    const joined = new Map([...state.joined].map(([name, room]) => [name, disconnected(room)]))
    const search = { ...state.search, outstanding: 0 }
    return { state: { ...state, online: false, member: null, retryAt, joined, search }, out: [] }
}

/** @param {State} state @returns {Step} */
function connecting(state) {
    return { state: { ...state, retryAt: null }, out: [] }
}

/** @param {State} state @param {{now: number}} event @returns {Step} */
function tick(state, { now }) {
    let joined = null
    for (const [name, room] of state.joined) {
        const typing = room.typing.filter((person) => person.until > now)
        if (typing.length === room.typing.length)
            continue
        joined ??= new Map(state.joined)
        joined.set(name, { ...room, typing })
    }
    return { state: joined === null ? state : { ...state, joined }, out: [] }
}

/** @type {Map<string, (state: State, event: any) => Step>} */
const handlers = new Map(Object.entries({
    connecting,
    opened,
    closed,
    tick,
    received: received.receive,
    open: commands.open,
    create: commands.create,
    leave: commands.leave,
    rename: commands.rename,
    send: commands.send,
    retry: commands.retry,
    discard: commands.discard,
    older: commands.older,
    typing: commands.typing,
    watch: commands.watch,
    search: commands.search,
    jump: commands.jump,
    arrived: commands.arrived,
}))
