// A chat page without a browser, for the tests of its protocol state.
//
// Time and keys are parameters and the server is a list of messages, so nothing waits and all comes back.

import { initial, step } from '../../Sources/Chat/Resources/store.js'

/** A page: its state, and what it has sent since last asked. */
export class Page {
    constructor(saved = {}) {
        this.state = initial(saved)
        this.out = []
    }

    do(type, members = {}) {
        const { state, out } = step(this.state, { type, now: 0, ...members })
        this.state = state
        this.out.push(...out)
        return this
    }

    receive(type, members = {}) {
        return this.do('received', { message: { type, ...members } })
    }

    connect(rooms = ['Lobby', 'Tea']) {
        this.do('opened')
        return this.receive('welcome', { name: 'Ada', member: 1, rooms: rooms.map(listed), textLimit: 4000 })
    }

    lose() {
        return this.do('closed', { retryAt: 0 })
    }

    page(reason, ids, more = {}) {
        const messages = ids.map((id) => (typeof id === 'number' ? stored(id) : id))
        return this.receive('history', { room: 'Lobby', messages, reason, older: false, done: true, ...more })
    }

    live(message) {
        return this.receive('message', { message: typeof message === 'number' ? stored(message) : message })
    }

    say(key, text = key) {
        return this.do('send', { key, text })
    }

    sentSince() {
        const sent = this.out
        this.out = []
        return sent
    }

    get lobby() {
        return this.state.joined.get('Lobby')
    }

    get ids() {
        return this.lobby.messages.map((message) => message.id)
    }

    get pending() {
        return this.state.outbox.map((entry) => entry.key)
    }
}

export function stored(id, more = {}) {
    return { id, room: 'Lobby', name: 'Grace', text: `text ${id}`, at: id, key: `key-${id}`, ...more }
}

function listed(name) {
    return { name, members: 0 }
}

/** A page that is in the lobby, with the messages of these ids. */
export function inLobby(ids = [1, 2, 3], more = {}) {
    const page = new Page().connect().page('join', ids, more)
    page.sentSince()
    return page
}
