// The field for a new message. Enter sends, Shift+Enter breaks the line; each room keeps its draft.

import { t } from '../i18n.js'
import { load, store, tab } from '../storage.js'
import { lengthOf } from '../text.js'
import { byId, setText } from './element.js'
import { uuid } from '../uuid.js'

/** From here on the remaining characters are counted down. */
const COUNT_FROM = 200

/** @typedef {import('../store.js').State} State */

export class Composer {
    #form = byId('composer')
    #box = byId('field')
    #field = /** @type {HTMLTextAreaElement} */ (byId('message'))
    #count = byId('count')
    /** @type {Record<string, string>} */
    #drafts = { ...load('drafts', {}, tab) }
    #limit = 4000
    /** @type {string | null} */
    #room = null

    /** @param {(event: object) => void} dispatch @param {() => void} sent */
    constructor(dispatch, sent) {
        this.dispatch = dispatch
        this.sent = sent
        this.#form.addEventListener('submit', (event) => {
            event.preventDefault()
            this.#send()
        })
        this.#field.addEventListener('keydown', (event) => {
            // While an input method composes, Enter chooses a character; 229 is what older browsers say then.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229)
                return
            event.preventDefault()
            this.#send()
        })
        this.#field.addEventListener('input', () => this.#typed())
        addEventListener('pagehide', () => store('drafts', this.#drafts, tab))
        // The button must not take the focus: on a phone that would hide the keyboard after each message.
        byId('send').addEventListener('pointerdown', (event) => event.preventDefault())
    }

    /** @param {State} state */
    render(state) {
        this.#limit = state.textLimit
        this.#field.placeholder = state.current === null ? t('message') : t('writeTo', state.current)
        if (state.current !== this.#room)
            this.#switchTo(state.current)
        this.#renderCount()
    }

    focus() {
        this.#field.focus({ preventScroll: true })
    }

    /** @param {string | null} room */
    #switchTo(room) {
        // What was typed before the first room was known stays.
        if (this.#room !== null || this.#field.value === '')
            this.#setText(Object.hasOwn(this.#drafts, room ?? '') ? this.#drafts[room] : '')
        this.#room = room
    }

    /** @param {string} text */
    #setText(text) {
        this.#field.value = text
        this.#keep()
    }

    /** Keeps the draft, and shows its text to the style sheet, which lets the field grow with it. */
    #keep() {
        const text = this.#field.value
        this.#box.dataset.text = text
        this.#box.classList.toggle('empty', text.trim() === '')
        if (this.#room !== null)
            this.#drafts = { ...this.#drafts, [this.#room]: text }
        this.#renderCount()
    }

    #typed() {
        this.#keep()
        if (this.#field.value.trim() !== '')
            this.dispatch({ type: 'typing', now: Date.now() })
    }

    #send() {
        const text = this.#field.value
        if (text.trim() === '' || lengthOf(text) > this.#limit) {
            this.focus()
            return
        }
        this.dispatch({ type: 'send', text, key: uuid(), now: Date.now() })
        this.#setText('')
        this.sent()
    }

    #renderCount() {
        const length = this.#field.value.length
        // Code points are counted only where they can matter: there are at least half as many as UTF-16 units.
        const left = length < this.#limit - COUNT_FROM ? this.#limit : this.#limit - lengthOf(this.#field.value)
        this.#count.hidden = left > COUNT_FROM
        this.#count.classList.toggle('over', left < 0)
        setText(this.#count, left < 0 ? t('tooLong', -left) : t('left', left))
        if (left < 0)
            this.#field.setAttribute('aria-invalid', 'true')
        else
            this.#field.removeAttribute('aria-invalid')
    }
}
