// What outlives a reload: the name, the rooms and how far they were read, the messages not yet acknowledged.

import { load, store, tab } from './storage.js'

/** Keys of own messages are kept to recognise them in the history; this many are enough to scroll through. */
const OWN_KEPT = 1000

/** Reading moves with every message, so it is written down only now and then. */
const PAUSE = 500

/** @typedef {import('./store.js').State} State */

/** What `initial` of the store takes. */
export function loadSaved() {
    return {
        name: load('name', null),
        rooms: load('rooms', []),
        current: load('current', null),
        own: load('own', []),
        outbox: load('outbox', [], tab),
    }
}

export class Saver {
    /** @type {State} */
    #saved
    /** @type {State} */
    #state
    #timer = 0

    /** @param {State} state */
    constructor(state) {
        this.#saved = state
        this.#state = state
        addEventListener('pagehide', () => this.#saveRooms())
    }

    /** Writes down what has changed. @param {State} state */
    save(state) {
        const before = this.#state
        this.#state = state
        // At once: a crash must not lose a message that the person believes is on its way.
        if (state.outbox !== before.outbox)
            store('outbox', state.outbox, tab)
        if (state.own !== before.own)
            store('own', [...state.own].slice(-OWN_KEPT))
        if (state.name !== before.name)
            store('name', state.name)
        if (state.current !== before.current)
            store('current', state.current)
        if (state.joined !== this.#saved.joined && this.#timer === 0)
            this.#timer = setTimeout(() => this.#saveRooms(), PAUSE)
    }

    #saveRooms() {
        clearTimeout(this.#timer)
        this.#timer = 0
        this.#saved = this.#state
        store('rooms', [...this.#state.joined.values()].map(({ name, read }) => ({ name, read })))
    }
}
