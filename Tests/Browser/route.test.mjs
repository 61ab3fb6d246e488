// The room in the address, with a stand-in for the browser's address and history.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'

let events, entries, serial = 0

/** The page has just been loaded with `hash`. */
async function load(hash) {
    events = new EventTarget()
    entries = [hash]
    globalThis.addEventListener = events.addEventListener.bind(events)
    globalThis.location = { get hash() { return entries.at(-1) } }
    globalThis.history = {
        pushState: (_state, _title, to) => entries.push(to),
        replaceState: (_state, _title, to) => entries.splice(-1, 1, to),
    }
    return import(`../../Sources/Chat/Resources/route.js?${serial++}`)
}

/** Somebody types an address; the browser tells of it later. */
const type = (hash) => entries.push(hash)
const tell = () => events.dispatchEvent(new Event('hashchange'))

beforeEach(() => { events = entries = undefined })

test('the first room takes the place of an address that names none', async () => {
    const route = await load('')
    route.showInAddress('Lobby')
    assert.deepEqual(entries, ['#/Lobby'])
})

test('each further room is one step back', async () => {
    const route = await load('#/Lobby')
    route.showInAddress('Lobby')
    route.showInAddress('A Nest')
    assert.deepEqual(entries, ['#/Lobby', '#/A%20Nest'])
    assert.equal(route.roomInAddress(), 'A Nest')
})

test('a rendering before the browser tells of a new address does not undo it', async () => {
    const route = await load('#/Lobby')
    const visited = []
    route.followAddress((room) => visited.push(room))
    route.showInAddress('Lobby')
    type('#/Nest')
    route.showInAddress('Lobby')
    tell()
    assert.deepEqual(visited, ['Nest'])
})

test('an address that leads nowhere is put right', async () => {
    const route = await load('#/Lobby')
    route.followAddress(() => {})
    type('#/Nowhere')
    tell()
    route.showInAddress('Lobby')
    assert.deepEqual(entries, ['#/Lobby', '#/Nowhere', '#/Lobby'])
})

test('an address that is no room visits none', async () => {
    const route = await load('#/Lobby')
    const visited = []
    const warn = console.warn
    console.warn = () => {}
    route.followAddress((room) => visited.push(room))
    type('#/%E0%A4%A')
    tell()
    console.warn = warn
    route.showInAddress('Lobby')
    assert.deepEqual(visited, [])
    assert.equal(entries.at(-1), '#/Lobby')
})
