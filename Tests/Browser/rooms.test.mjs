// The chat page's half of the protocol (Sources/Chat/Resources/store.js): rooms, what is unread in them, typing,
// search, names. Run with: node --test Tests/Browser/

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { KEPT, MOST, unread } from '../../Sources/Chat/Resources/store/room.js'
import { inLobby, Page, stored } from './page.mjs'

test('leaving a room keeps what is not acknowledged, and the next connection sends it', () => {
    const page = inLobby().do('create', { room: 'Nest' }).do('open', { room: 'Lobby' }).say('a')
    page.do('leave', { room: 'Lobby' }).lose()
    page.sentSince()
    page.connect(['Lobby', 'Nest']).page('join', [1])
    assert.deepEqual(page.sentSince().filter((message) => message.type === 'send').map(({ key }) => key), ['a'])
})

test('the last room cannot be left', () => {
    assert.deepEqual(inLobby().do('leave', { room: 'Lobby' }).sentSince(), [])
})

test('a room made here is made again by a server that lost it, one only remembered is forgotten', () => {
    const page = new Page({ current: 'Lobby', rooms: [{ name: 'Lobby', read: 1 }, { name: 'Gone', read: 1 }] })
    page.connect().page('join', [1]).do('create', { room: 'Nest' }).lose()
    assert.equal(page.state.joined.has('Gone'), false)
    page.sentSince()
    page.connect()
    assert.deepEqual(page.sentSince().filter((message) => message.type === 'create'), [
        { type: 'create', room: 'Nest' },
    ])
})

test('a room that the address names and the server has not gives way to one there is', () => {
    const page = new Page({ current: 'Nowhere' }).connect()
    assert.equal(page.state.current, 'Lobby')
    assert.equal(page.state.notice.code, 'no-such-room')
    page.do('open', { room: 'Nowhere' })
    assert.equal(page.state.current, 'Lobby')
})

test('names such as __proto__ are rooms like others', () => {
    const page = inLobby().do('create', { room: '__proto__' })
    assert.equal(page.state.current, '__proto__')
    assert.deepEqual(page.sentSince(), [
        { type: 'create', room: '__proto__' },
        { type: 'join', room: '__proto__', after: null },
    ])
})

test('messages of others in a room that nobody looks at are unread, and the line stands before them', () => {
    const page = inLobby([1, 2]).do('watch', { watching: true }).do('watch', { watching: false })
    page.live(3).say('a').receive('sent', { key: 'a', id: 4, at: 4 }).do('watch', { watching: false })
    page.live(5).live(6)
    assert.equal(unread(page.lobby, page.state.own), 2)
    assert.equal(page.lobby.marker, 3)
    page.do('watch', { watching: true })
    assert.equal(unread(page.lobby, page.state.own), 0)
})

test('a first visit has nothing unread, a later one what came since', () => {
    assert.equal(unread(inLobby([1, 2, 3]).lobby, new Set()), 0)
    const page = new Page({ current: 'Tea', rooms: [{ name: 'Tea', read: null }, { name: 'Lobby', read: 2 }] })
    page.connect().page('join', [1, 2, 3, 4])
    assert.equal(unread(page.lobby, page.state.own), 2)
    assert.equal(page.lobby.marker, 2)
})

test('in an empty room the first message of somebody else is unread', () => {
    const page = inLobby([]).do('create', { room: 'Nest' }).live(1)
    assert.equal(unread(page.lobby, page.state.own), 1)
})

test('how far was read in another database counts for nothing', () => {
    const page = new Page({ current: 'Lobby', rooms: [{ name: 'Lobby', read: 900 }] }).connect().page('join', [1, 2])
    assert.equal(page.lobby.read, 2)
})

test('the newest page instead of a catch-up, from another database, replaces what was here', () => {
    const page = inLobby([500, 501]).lose().connect().page('join', [1, 2])
    assert.deepEqual(page.ids, [1, 2])
    assert.equal(page.lobby.cursor, 2)
    assert.equal(page.lobby.read, 2)
    assert.deepEqual(page.live(3).ids, [1, 2, 3])
    page.lose().connect().page('join', [])
    assert.deepEqual(page.ids, [])
})

test('a room that the server would not make is left for one there is', () => {
    const page = inLobby().do('create', { room: 'Nest' })
    page.receive('error', { code: 'too-many-rooms', words: 'Too many.' })
    assert.equal(page.state.current, 'Lobby')
    assert.deepEqual([...page.state.joined.keys()], ['Lobby'])
    assert.equal(page.state.notice.code, 'too-many-rooms')
})

test('of very many messages the oldest go, and scroll-back brings them again', () => {
    const page = inLobby(Array.from({ length: MOST }, (_, i) => i + 1)).do('watch', { watching: true }).live(MOST + 1)
    assert.equal(page.ids.length, KEPT)
    assert.equal(page.ids.at(-1), MOST + 1)
    const first = page.ids[0]
    assert.deepEqual(page.do('older').sentSince(), [{ type: 'history', room: 'Lobby', before: first, limit: 50 }])
    page.page('back', [first - 2, first - 1], { older: true, done: undefined })
    assert.deepEqual(page.ids.slice(0, 3), [first - 2, first - 1, first])
})

test('the oldest messages stay while somebody reads them, or a page of older ones is on its way', () => {
    const ids = Array.from({ length: MOST }, (_, i) => i + 1)
    assert.equal(inLobby(ids).do('watch', { watching: false }).live(MOST + 1).ids.length, MOST + 1)
    const page = inLobby(ids, { older: true }).do('watch', { watching: true }).do('older').live(MOST + 1)
    assert.equal(page.ids.length, MOST + 1)
})

test('opening a room before its page has come does not forget how far it was read', () => {
    const page = new Page({ current: 'Tea', rooms: [{ name: 'Tea', read: 1 }, { name: 'Lobby', read: 2 }] }).connect()
    page.do('open', { room: 'Lobby' }).page('join', [1, 2, 3])
    assert.equal(page.lobby.marker, 2)
})

test('typing is told at most every two seconds, and only where the room is live', () => {
    const page = new Page().connect()
    page.sentSince()
    page.do('typing', { now: 9000 }).page('join', [])
    for (const now of [10_000, 11_999, 12_000])
        page.do('typing', { now })
    page.say('a').do('typing', { now: 13_000 })
    const sent = page.sentSince().filter((message) => message.type === 'typing')
    assert.deepEqual(sent, [{ type: 'typing', room: 'Lobby' }, { type: 'typing', room: 'Lobby' }])
})

test('somebody types until the time is up or the message is here', () => {
    const message = { type: 'typing', room: 'Lobby', member: 7, name: 'Grace' }
    const page = inLobby().do('received', { now: 1000, message })
    assert.deepEqual(page.lobby.typing.map(({ name }) => name), ['Grace'])
    assert.equal(page.do('tick', { now: 4999 }).lobby.typing.length, 1)
    assert.equal(page.do('tick', { now: 5000 }).lobby.typing.length, 0)
    page.receive('typing', { room: 'Lobby', member: 7, name: 'Grace' }).live(4)
    assert.equal(page.lobby.typing.length, 0)
    page.receive('typing', { room: 'Lobby', member: 1, name: 'Ada' })
    assert.equal(page.lobby.typing.length, 0)
})

test('only the answer to the last search counts', () => {
    const page = inLobby().do('search', { query: 'a', room: null }).do('search', { query: 'a', room: 'Lobby' })
    page.receive('found', { query: 'a', messages: [stored(1)] })
    assert.equal(page.state.search.results, null)
    page.receive('found', { query: 'a', messages: [stored(2)] })
    assert.deepEqual(page.state.search.results.map(({ id }) => id), [2])
})

test('a search that stopped early says so, and the next one that does not says nothing', () => {
    const page = inLobby().do('search', { query: 'a', room: null })
    page.receive('found', { query: 'a', messages: [stored(2)], complete: false })
    assert.equal(page.state.search.complete, false)
    page.do('search', { query: 'ab', room: null }).receive('found', { query: 'ab', messages: [], complete: true })
    assert.equal(page.state.search.complete, true)
})

test('changes of rooms replace, append and remove, and keep the order', () => {
    const page = new Page().connect(['Lobby', 'Tea', 'Old']).page('join', [])
    const changes = { rooms: [{ name: 'Nest', members: 1 }, { name: 'Tea', members: 2 }], gone: ['Old'] }
    assert.deepEqual(page.receive('room-changes', changes).state.rooms, [
        { name: 'Lobby', members: 0 }, { name: 'Tea', members: 2 }, { name: 'Nest', members: 1 },
    ])
    page.receive('room-changes', { rooms: [{ name: 'Nest', members: 0 }], gone: ['Nest'] })
    assert.deepEqual(page.state.rooms.at(-1), { name: 'Nest', members: 0 })
})

test('a room that the server loses while the page is in it is made again, and what it missed is asked for', () => {
    const page = inLobby([1, 2, 3]).receive('room-changes', { rooms: [], gone: ['Lobby', 'Tea'] })
    assert.deepEqual(page.sentSince(), [
        { type: 'create', room: 'Lobby' },
        { type: 'join', room: 'Lobby', after: 3 },
    ])
    assert.equal(page.lobby.live, false)
})

test('a room that the server refuses to make so soon is not one to wait in', () => {
    const page = inLobby().do('create', { room: 'Nest' }).receive('error', { code: 'too-fast', words: 'Wait.' })
    assert.equal(page.state.current, 'Lobby')
    assert.equal(page.state.notice.code, 'too-fast')
})

test('a search that a lost connection left open is asked again', () => {
    const page = inLobby().do('search', { query: 'a', room: null }).lose()
    page.sentSince()
    page.connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'search', query: 'a', room: null })
    assert.deepEqual(page.receive('found', { query: 'a', messages: [] }).state.search.results, [])
})

test('the name changes when the server says so, and without a connection with the next hello', () => {
    const page = inLobby().do('rename', { name: 'Eve' })
    assert.equal(page.state.name, 'Ada')
    assert.equal(page.receive('named', { name: 'Eve' }).state.name, 'Eve')
    page.lose().do('rename', { name: 'Mallory' })
    page.sentSince()
    assert.deepEqual(page.do('opened').sentSince(), [{ type: 'hello', name: 'Mallory', changes: true }])
})

test('what a newer server says is ignored', () => {
    const page = inLobby()
    const before = page.state
    assert.equal(page.receive('reaction', { emoji: '👍' }).state, before)
})
