// The state of the connection: a banner while there is none, with the seconds to the next attempt, and a word for
// screen readers when it goes and comes.

import { t } from '../i18n.js'
import { byId, setText } from './element.js'

/** A short interruption is nobody's business. */
const GRACE = 600

/** @typedef {import('../store.js').State} State */

export class Banner {
    #banner = byId('banner')
    #text = byId('banner-text')
    #announcer = byId('announcer')
    #clock = 0
    #grace = 0
    /** @type {State | null} */
    #state = null
    #shown = false
    #everOnline = false

    /** @param {() => void} retry */
    constructor(retry) {
        byId('retry').addEventListener('click', retry)
    }

    /** @param {State} state */
    render(state) {
        this.#state = state
        if (state.online)
            this.#hide()
        else if (this.#shown)
            this.#count()
        else if (this.#grace === 0)
            this.#grace = setTimeout(() => this.#show(), GRACE)
    }

    #show() {
        this.#shown = true
        this.#banner.hidden = false
        setText(this.#announcer, t(this.#everOnline ? 'connectionLost' : 'connecting'))
        this.#clock = setInterval(() => this.#count(), 250)
        this.#count()
    }

    #hide() {
        clearTimeout(this.#grace)
        clearInterval(this.#clock)
        this.#grace = 0
        if (this.#shown)
            setText(this.#announcer, t('connectionBack'))
        this.#shown = false
        this.#everOnline = true
        this.#banner.hidden = true
    }

    #count() {
        const { retryAt } = this.#state
        const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))
        const without = t(this.#everOnline ? 'reconnecting' : 'connecting')
        setText(this.#text, seconds > 0 ? t('reconnectingIn', seconds) : without)
    }
}
