// The chat page's half of the protocol (Sources/Chat/Resources/store.js): none lost, none twice, in order.
// Run with: node --test Tests/Browser/

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { inLobby, Page, stored } from './page.mjs'

test('the first message is hello with the name that was saved', () => {
    assert.deepEqual(new Page({ name: 'Ada' }).do('opened').out, [{ type: 'hello', name: 'Ada', changes: true }])
    assert.deepEqual(new Page().do('opened').out, [{ type: 'hello', name: null, changes: true }])
})

test('a newcomer joins the first room of the server with its newest page', () => {
    const page = new Page().connect()
    assert.deepEqual(page.sentSince().slice(1), [{ type: 'join', room: 'Lobby', after: null }])
    assert.equal(page.state.current, 'Lobby')
})

test('a server without rooms gets one', () => {
    const page = new Page().connect([])
    assert.deepEqual(page.sentSince().slice(1), [
        { type: 'create', room: 'Lobby' },
        { type: 'join', room: 'Lobby', after: null },
    ])
})

test('a message that is here already is ignored', () => {
    const page = inLobby([1, 2, 3])
    const before = page.lobby.messages
    page.live(2).live(3)
    assert.deepEqual(page.ids, [1, 2, 3])
    assert.equal(page.lobby.messages, before)
})

test('messages stand in the order of their ids, however they come', () => {
    const page = inLobby([4])
    for (const id of [9, 6, 8, 5, 7, 6, 9])
        page.live(id)
    assert.deepEqual(page.ids, [4, 5, 6, 7, 8, 9])
})

test('a message of a room that was left is ignored', () => {
    const page = inLobby()
    page.live(stored(4, { room: 'Tea' }))
    assert.equal(page.state.joined.has('Tea'), false)
})

test('an own message waits at the end and is sent at once', () => {
    const page = inLobby().say('a', '  two\n spaces ')
    assert.deepEqual(page.sentSince(), [{ type: 'send', room: 'Lobby', key: 'a', text: '  two\n spaces ' }])
    assert.deepEqual(page.pending, ['a'])
    assert.deepEqual(page.ids, [1, 2, 3])
})

test('an acknowledged message moves to its place, and its live copy adds nothing', () => {
    const page = inLobby().say('a').receive('sent', { key: 'a', id: 5, at: 50 })
    assert.deepEqual(page.pending, [])
    page.live(4).live(stored(5, { key: 'a', text: 'a' }))
    assert.deepEqual(page.ids, [1, 2, 3, 4, 5])
})

test('a live copy that comes before the acknowledgement settles the message', () => {
    const page = inLobby().say('a').live(stored(4, { key: 'a' }))
    assert.deepEqual(page.pending, [])
    page.receive('sent', { key: 'a', id: 4, at: 40 })
    assert.deepEqual(page.ids, [1, 2, 3, 4])
})

test('an acknowledgement does not move the cursor: smaller ids may be on their way', () => {
    const page = inLobby().say('a').receive('sent', { key: 'a', id: 9, at: 90 }).lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: 3 })
    page.page('catch-up', [7, 8, stored(9, { key: 'a' })])
    assert.deepEqual(page.ids, [1, 2, 3, 7, 8, 9])
})

test('an acknowledgement from before the window is not shown above a gap', () => {
    const page = new Page({ current: 'Lobby', outbox: [{ key: 'old', room: 'Lobby', text: 'old', at: 0 }] })
    page.connect().page('join', [70, 71], { older: true }).receive('sent', { key: 'old', id: 12, at: 1 })
    assert.deepEqual(page.pending, [])
    assert.deepEqual(page.ids, [70, 71])
})

test('after a reconnection and its history, unacknowledged messages are sent again, in order, same keys', () => {
    const page = inLobby().say('a').say('b').say('c').receive('sent', { key: 'b', id: 5, at: 50 })
    page.lose()
    page.sentSince()
    page.connect()
    assert.deepEqual(page.sentSince().map((message) => message.type), ['hello', 'join'])
    page.page('catch-up', [stored(4, { key: 'a' })], { done: false })
    assert.deepEqual(page.sentSince(), [])
    page.page('catch-up', [stored(5, { key: 'b' })])
    assert.deepEqual(page.sentSince(), [{ type: 'send', room: 'Lobby', key: 'c', text: 'c' }])
    assert.deepEqual(page.ids, [1, 2, 3, 4, 5])
})

test('what is written while the connection is lost waits, and goes out after the history', () => {
    const page = inLobby().lose().say('a').say('b')
    assert.deepEqual(page.sentSince(), [])
    page.connect().page('catch-up', [4])
    assert.deepEqual(page.sentSince().filter((message) => message.type === 'send').map(({ key }) => key), ['a', 'b'])
})

test('what is written before the first welcome goes to the first room', () => {
    const page = new Page().say('early').connect()
    assert.equal(page.sentSince().some((message) => message.type === 'send'), false)
    page.page('join', [])
    assert.deepEqual(page.sentSince(), [{ type: 'send', room: 'Lobby', key: 'early', text: 'early' }])
})

test('a reload keeps what was not acknowledged, and knows it as its own', () => {
    const outbox = [{ key: 'a', room: 'Tea', text: 'a', at: 0 }]
    const page = new Page({ current: 'Lobby', rooms: [{ name: 'Lobby', read: 3 }], outbox }).connect()
    assert.deepEqual(page.sentSince().slice(1).map(({ room }) => room), ['Lobby', 'Tea'])
    page.receive('history', { room: 'Tea', messages: [], reason: 'join', older: false, done: true })
    assert.deepEqual(page.sentSince(), [{ type: 'send', room: 'Tea', key: 'a', text: 'a' }])
    assert.equal(page.state.own.has('a'), true)
})

test('a rejoin asks for all after the greatest id up to which nothing is missing', () => {
    const page = inLobby([1, 2, 3]).live(4).lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: 4 })
})

test('catch-up pages follow one another until the last is done', () => {
    const page = inLobby([1, 2]).lose().connect()
    page.page('catch-up', [3, 4], { done: false })
    assert.equal(page.lobby.live, false)
    page.page('catch-up', [5, 6], { done: false }).page('catch-up', [7])
    assert.equal(page.lobby.live, true)
    assert.deepEqual(page.ids, [1, 2, 3, 4, 5, 6, 7])
})

test('a connection lost between catch-up pages goes on after the last page', () => {
    const page = inLobby([1]).lose().connect().page('catch-up', [2, 3], { done: false }).lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: 3 })
})

test('a live message during the catch-up is shown in its place and leaves no gap if the connection is lost', () => {
    const page = inLobby([1]).lose().connect()
    page.page('catch-up', [2, 3], { done: false }).live(9)
    assert.deepEqual(page.ids, [1, 2, 3, 9])
    page.lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: 3 })
    page.page('catch-up', [4, 5, 9], { done: false }).live(10).page('catch-up', [])
    assert.deepEqual(page.ids, [1, 2, 3, 4, 5, 9, 10])
    page.lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: 10 })
})

test('a live message before the first page does not survive a loss of the connection', () => {
    const page = new Page().connect().live(9).lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: null })
    assert.deepEqual(page.ids, [])
    page.page('join', [60, 61], { older: true })
    assert.deepEqual(page.ids, [60, 61])
})

test('an empty room is joined anew with its newest page', () => {
    const page = inLobby([]).lose().connect()
    assert.deepEqual(page.sentSince().at(-1), { type: 'join', room: 'Lobby', after: null })
})

test('scroll-back asks for the page before the first message, once, and puts it above', () => {
    const page = inLobby([51, 52], { older: true }).do('older').do('older')
    assert.deepEqual(page.sentSince(), [{ type: 'history', room: 'Lobby', before: 51, limit: 50 }])
    page.page('back', [49, 50, 51], { older: true, done: undefined })
    assert.deepEqual(page.ids, [49, 50, 51, 52])
    assert.equal(page.lobby.older, true)
    page.do('older').page('back', [1], { older: false, done: undefined }).do('older')
    assert.deepEqual(page.sentSince(), [{ type: 'history', room: 'Lobby', before: 49, limit: 50 }])
})

test('a page of older messages that nobody waits for is ignored', () => {
    const page = inLobby([51], { older: true }).page('back', [20, 21], { older: true })
    assert.deepEqual(page.ids, [51])
})

test('a lost connection lets scroll-back ask again', () => {
    const page = inLobby([51], { older: true }).do('older').lose().connect().page('catch-up', [])
    page.sentSince()
    assert.deepEqual(page.do('older').sentSince(), [{ type: 'history', room: 'Lobby', before: 51, limit: 50 }])
})

test('a jump pages back until the message is here', () => {
    const page = inLobby([200], { older: true }).do('jump', { room: 'Lobby', id: 40 })
    assert.deepEqual(page.sentSince(), [{ type: 'history', room: 'Lobby', before: 200, limit: 100 }])
    page.page('back', [100], { older: true })
    assert.deepEqual(page.sentSince(), [{ type: 'history', room: 'Lobby', before: 100, limit: 100 }])
    page.page('back', [40], { older: true })
    assert.deepEqual(page.sentSince(), [])
    assert.deepEqual(page.state.target, { room: 'Lobby', id: 40 })
    assert.equal(page.do('arrived').state.target, null)
})

test('a jump to a message that is gone says so', () => {
    const page = inLobby([41, 50], { older: false }).do('jump', { room: 'Lobby', id: 45 })
    assert.equal(page.state.target, null)
    assert.equal(page.state.notice.code, 'gone')
})

test('a refused message stays, is not sent again by itself, and can be tried again or discarded', () => {
    const page = inLobby().say('a').say('b')
    page.receive('error', { code: 'too-long', words: 'Too long.', key: 'a' })
    assert.deepEqual(page.state.outbox[0].refused, { code: 'too-long', words: 'Too long.' })
    page.lose().connect()
    page.sentSince()
    page.page('catch-up', [stored(4, { key: 'b' })])
    assert.deepEqual(page.sentSince(), [])
    page.do('retry', { key: 'a' })
    assert.deepEqual(page.sentSince(), [{ type: 'send', room: 'Lobby', key: 'a', text: 'a' }])
    assert.deepEqual(page.do('discard', { key: 'a' }).pending, [])
})

test('none lost, none twice, in order, whenever the connection breaks', () => {
    // Every way to cut this conversation once: after each message of the server, then a reconnection.
    const script = [
        (page) => page.page('join', [1, 2]),
        (page) => page.say('a').live(3),
        (page) => page.live(stored(4, { key: 'a' })),
        (page) => page.receive('sent', { key: 'a', id: 4, at: 4 }),
        (page) => page.say('b').receive('sent', { key: 'b', id: 6, at: 6 }),
        (page) => page.live(5),
        (page) => page.live(stored(6, { key: 'b' })),
    ]
    const database = [1, 2, 3, stored(4, { key: 'a' }), 5, stored(6, { key: 'b' })]
        .map((message) => (typeof message === 'number' ? stored(message) : message))
    for (let cut = 0; cut <= script.length; cut += 1) {
        const page = new Page().connect()
        for (const act of script.slice(0, cut))
            act(page)
        page.sentSince()
        page.lose().connect()
        const { after } = page.sentSince().at(-1)
        const rest = database.filter((message) => message.id > (after ?? 0))
        page.page(after === null ? 'join' : 'catch-up', rest)
        assert.deepEqual(page.ids, [1, 2, 3, 4, 5, 6], `cut after ${cut}`)
        assert.deepEqual(page.pending, [], `cut after ${cut}`)
    }
})
