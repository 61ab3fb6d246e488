// What each message of the server does to the state.

import { disconnected, firstId, insert, lastId, makeRoom, merge, noticeUnread, trim } from './room.js'
import { joinMessage, pursue, sendMessage, withNotice, withRoom, yields } from './step.js'

/** @typedef {import('../store.js').State} State */
/** @typedef {import('../store.js').Step} Step */
/** @typedef {import('./room.js').Room} Room */
/** @typedef {import('./room.js').Message} Message */

/** The room of a server that has none yet. */
const FIRST_ROOM = 'Lobby'

/** The errors by which a server says that there is no room to wait in. */
const ROOM_REFUSED = new Set(['no-such-room', 'too-many-rooms', 'too-fast'])

/** How long somebody counts as typing; `typing` comes at most every 2 s while they do. */
const TYPING_LASTS = 4000

/**
 * @param {State} state
 * @param {{message: any, now: number}} event
 * @returns {Step}
 */
export function receive(state, { message, now }) {
    const handle = handlers.get(message.type)
    // A newer server may say more than this page understands.
    return handle === undefined ? yields(state) : handle(state, message, now)
}

/** @param {State} state @returns {Step} */
function welcome(state, { name, member, rooms, textLimit }) {
    const there = new Set(rooms.map((room) => room.name))
    const waiting = new Set(state.outbox.map((pending) => pending.room).filter((key) => key !== null))
    const joined = new Map()
    for (const [key, room] of state.joined) {
        // A room that the server has lost is made again for those who are in it, forgotten where only remembered.
        if (there.has(key) || room.known || waiting.has(key))
            joined.set(key, room)
    }
    for (const key of waiting) {
        if (!joined.has(key))
            joined.set(key, makeRoom(key))
    }
    let next = { ...state, online: true, retryAt: null, name, member, rooms, textLimit, joined }
    next = addressed(settleCurrent(next, there))
    const names = [next.current, ...[...next.joined.keys()].filter((key) => key !== next.current)]
    const out = names.flatMap((key) => {
        const join = joinMessage(next.joined.get(key))
        return there.has(key) ? [join] : [{ type: 'create', room: key }, join]
    })
    const { query, room } = next.search
    if (query !== '') {
        out.push({ type: 'search', query, room })
        next = { ...next, search: { ...next.search, outstanding: 1 } }
    }
    return yields(next, ...out)
}

/**
 * Makes sure that the current room is one that can be shown, and is joined.
 * @param {State} state
 * @param {ReadonlySet<string>} there
 * @returns {State}
 */
function settleCurrent(state, there) {
    let { current } = state
    if (current !== null && !there.has(current) && !state.joined.has(current)) {
        state = withNotice(state, 'no-such-room')
        current = null
    }
    current ??= state.joined.keys().next().value ?? state.rooms[0]?.name ?? FIRST_ROOM
    state = { ...state, current }
    return state.joined.has(current) ? state : withRoom(state, makeRoom(current))
}

/** What was written before there was a room goes to the current one. @param {State} state @returns {State} */
function addressed(state) {
    if (state.outbox.every((pending) => pending.room !== null))
        return state
    const outbox = state.outbox.map((pending) => ({ ...pending, room: pending.room ?? state.current }))
    return { ...state, outbox }
}

/** @param {State} state @returns {Step} */
function history(state, page) {
    const room = state.joined.get(page.room)
    if (room === undefined)
        return yields(state)
    const next = settle(state, page.messages)
    return page.reason === 'back' ? olderPage(next, room, page) : joinPage(next, room, page)
}

/** @param {State} state @param {Room} room @returns {Step} */
function olderPage(state, room, page) {
    // Nobody waits for it: it answers a check of the connection, or the room was left and joined again meanwhile.
    if (!room.loading)
        return yields(state)
    const messages = merge(room.messages, page.messages)
    return pursue(withRoom(state, { ...room, messages, loading: false, older: olderThan(room, page) }))
}

/** @param {State} state @param {Room} room @returns {Step} */
function joinPage(state, room, page) {
    // The newest page instead of what follows the cursor: the server's database is another, and ours of no worth.
    if (page.reason === 'join' && room.cursor !== null && (page.messages.at(-1)?.id ?? 0) < room.cursor)
        room = { ...room, messages: [], cursor: null, older: false, marker: null }
    const messages = merge(room.messages, page.messages)
    const reached = Math.max(room.cursor ?? 0, page.messages.at(-1)?.id ?? 0)
    let next = { ...room, messages, cursor: reached > 0 ? reached : null }
    if (page.reason === 'join')
        next.older = olderThan(room, page)
    if (page.done) {
        // From here on nothing is missing, also where live messages came between the pages.
        next = { ...next, live: true, cursor: lastId(next) }
    }
    next = noticeUnread(room, next, { own: state.own, watched: isWatched(state, room) })
    if (page.done)
        next = { ...next, known: true }
    const after = withRoom(state, trimmed(state, next))
    if (!page.done)
        return yields(after)
    const resend = after.outbox.filter((pending) => pending.room === room.name && pending.refused === undefined)
    const { state: last, out } = pursue(after)
    return yields(last, ...resend.map(sendMessage), ...out)
}

/** Whether the server has messages before the room's first, now that `page` has come. @param {Room} room */
function olderThan(room, page) {
    const first = firstId(room)
    const reaches = first === null || page.messages.length === 0 || page.messages[0].id <= first
    return reaches ? page.older === true : room.older
}

/** @param {State} state @param {{message: Message}} received @returns {Step} */
function message(state, { message }) {
    const room = state.joined.get(message.room)
    if (room === undefined)
        return yields(state)
    const messages = insert(room.messages, message)
    const typing = room.typing.filter((person) => person.name !== message.name)
    let next = { ...room, messages, typing: typing.length === room.typing.length ? room.typing : typing }
    // Before `done` pages are missing below this id, so the cursor must wait for them.
    if (room.live)
        next.cursor = Math.max(room.cursor ?? 0, message.id)
    next = noticeUnread(room, next, { own: state.own, watched: isWatched(state, room) })
    return pursue(withRoom(settle(state, [message]), trimmed(state, next)))
}

/** Trims a room unless somebody is reading further up in it, or is on the way there. @param {State} state */
function trimmed(state, room) {
    const read = state.current === room.name && !state.watching
    return read || state.target?.room === room.name ? room : trim(room)
}

/** @param {State} state @returns {Step} */
function sent(state, { key, id, at }) {
    const pending = state.outbox.find((entry) => entry.key === key)
    if (pending === undefined)
        return yields(state)
    const next = { ...state, outbox: state.outbox.filter((entry) => entry !== pending) }
    const room = state.joined.get(pending.room)
    // Stored long ago, before the window that is here: inserted, it would hide the gap behind it.
    if (room === undefined || (room.older && id < (firstId(room) ?? Infinity)))
        return yields(next)
    const stored = { id, room: room.name, name: state.name ?? '', text: pending.text, at, key }
    // The cursor stays: an acknowledgement says nothing of other people's messages with smaller ids.
    return yields(withRoom(next, { ...room, messages: insert(room.messages, stored) }))
}

/** Takes from the outbox what turns out to be stored. @param {State} state @param {readonly Message[]} messages */
function settle(state, messages) {
    if (state.outbox.length === 0)
        return state
    const stored = new Set(messages.map((entry) => entry.key))
    const outbox = state.outbox.filter((pending) => !stored.has(pending.key))
    return outbox.length === state.outbox.length ? state : { ...state, outbox }
}

/** @param {State} state @param {Room} room */
function isWatched(state, room) {
    return state.watching && state.current === room.name
}

/** @param {State} state @returns {Step} */
function members(state, { room: name, members }) {
    const room = state.joined.get(name)
    if (room === undefined)
        return yields(state)
    const here = new Set(members.map((person) => person.member))
    const typing = room.typing.filter((person) => here.has(person.member))
    return yields(withRoom(state, { ...room, members, typing }))
}

/** @param {State} state @param {number} now @returns {Step} */
function typing(state, { room: name, member, name: person }, now) {
    const room = state.joined.get(name)
    if (room === undefined || member === state.member)
        return yields(state)
    const others = room.typing.filter((entry) => entry.member !== member)
    const until = now + TYPING_LASTS
    return yields(withRoom(state, { ...room, typing: [...others, { member, name: person, until }] }))
}

/** @param {State} state @returns {Step} */
function found(state, { query, messages, complete }) {
    const outstanding = Math.max(0, state.search.outstanding - 1)
    const search = { ...state.search, outstanding }
    // Answers come in the order of the questions; only the last question is still of interest.
    if (outstanding === 0 && query === search.query) {
        search.results = messages
        search.complete = complete !== false
    }
    return yields({ ...state, search })
}

/**
 * What is new, has another count, or is gone. A room that this page is in and the server has lost is made again.
 * @param {State} state
 * @param {{rooms: {name: string, members: number}[], gone: string[]}} changes
 * @returns {Step}
 */
function roomChanges(state, { rooms, gone }) {
    const removed = new Set(gone)
    const listed = new Map(state.rooms.filter(({ name }) => !removed.has(name)).map((room) => [room.name, room]))
    for (const room of rooms)
        listed.set(room.name, room)
    let next = { ...state, rooms: [...listed.values()] }
    const out = []
    for (const name of removed) {
        const room = next.joined.get(name)
        if (room === undefined)
            continue
        next = withRoom(next, disconnected(room))
        out.push({ type: 'create', room: name }, joinMessage(room))
    }
    return yields(next, ...out)
}

/** @param {State} state @returns {Step} */
function error(state, { code, words, key }) {
    const pending = state.outbox.find((entry) => entry.key === key)
    if (pending === undefined) {
        state = withoutMissing(state, code)
        const search = { ...state.search, outstanding: 0, results: state.search.results ?? [] }
        return yields(withNotice(state.search.outstanding > 0 ? { ...state, search } : state, code, words))
    }
    const refused = { ...pending, refused: { code, words } }
    return yields({ ...state, outbox: state.outbox.map((entry) => (entry === pending ? refused : entry)) })
}

/**
 * A room that the server would not make, or does not have, is not one to wait in; unless messages wait for it.
 * @param {State} state
 * @param {string} code
 * @returns {State}
 */
function withoutMissing(state, code) {
    if (!ROOM_REFUSED.has(code))
        return state
    const there = new Set([...state.rooms.map((room) => room.name), ...state.outbox.map((pending) => pending.room)])
    const joined = new Map([...state.joined].filter(([name, room]) => room.live || there.has(name)))
    if (joined.size === 0 || joined.size === state.joined.size)
        return state
    const current = joined.has(state.current) ? state.current : joined.keys().next().value
    return { ...state, joined, current }
}

/** @type {Map<string, (state: State, message: any, now: number) => Step>} */
const handlers = new Map(Object.entries({
    welcome,
    history,
    message,
    sent,
    members,
    typing,
    found,
    error,
    rooms: (state, { rooms }) => yields({ ...state, rooms }),
    'room-changes': roomChanges,
    named: (state, { name }) => yields({ ...state, name }),
}))
