// Full-text search: what is typed is looked for, and a result takes the reader to the message.

import { language, t } from '../i18n.js'
import { excerpt } from '../text.js'
import { momentOf } from './dates.js'
import { closable } from './dialogs.js'
import { byId, element, setText } from './element.js'

/** The pause in typing after which the search begins. */
const PAUSE = 180

/** @typedef {import('../store.js').State} State */

export class SearchView {
    #dialog = /** @type {HTMLDialogElement} */ (byId('search-dialog'))
    #field = /** @type {HTMLInputElement} */ (byId('query'))
    #results = byId('results')
    #status = byId('search-state')
    #here = byId('scope-here')
    #timer = 0
    /** @type {unknown[]} */
    #last = []
    /** @type {string | null} */
    #room = null

    /** @param {(event: object) => void} dispatch @param {() => void} chosen */
    constructor(dispatch, chosen) {
        this.dispatch = dispatch
        closable(this.#dialog)
        this.#field.addEventListener('input', () => this.#later())
        for (const scope of this.#dialog.querySelectorAll('[name=scope]'))
            scope.addEventListener('change', () => this.#ask())
        this.#dialog.querySelector('form').addEventListener('submit', (event) => {
            event.preventDefault()
            this.#ask()
        })
        this.#results.addEventListener('click', (event) => {
            const button = event.target.closest('button')
            if (button === null)
                return
            this.#dialog.close()
            dispatch({ type: 'jump', room: button.dataset.room, id: Number(button.dataset.id) })
            chosen()
        })
        this.#dialog.addEventListener('keydown', (event) => this.#arrows(event))
    }

    open() {
        if (this.#dialog.open)
            return
        this.#dialog.showModal()
        this.#field.select()
        this.#ask()
    }

    /** @param {State} state @param {number} now */
    render(state, now) {
        this.#room = state.current
        setText(this.#here, t('searchHere', state.current ?? ''))
        const { search } = state
        const inputs = [search, state.online, language()]
        if (inputs.every((input, i) => input === this.#last[i]) && this.#last.length > 0)
            return
        const fresh = search.results !== this.#last[0]?.results || language() !== this.#last[2]
        this.#last = inputs
        setText(this.#status, statusText(search, state.online))
        if (fresh)
            this.#renderResults(search, now)
    }

    /** @param {import('../store.js').Search} search @param {number} now */
    #renderResults({ results, query }, now) {
        this.#results.replaceChildren(...(results ?? []).map((found) => resultItem(found, query, now)))
        this.#results.scrollTop = 0
    }

    #later() {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.#ask(), PAUSE)
    }

    #ask() {
        clearTimeout(this.#timer)
        const here = this.#dialog.querySelector('[name=scope]:checked').value === 'here'
        this.dispatch({ type: 'search', query: this.#field.value.trim(), room: here ? this.#room : null })
    }

    /** The arrow keys go through the results and back to the field. @param {KeyboardEvent} event */
    #arrows(event) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
        if (step === undefined || event.target.type === 'radio' || event.isComposing)
            return
        const stops = [this.#field, ...this.#results.querySelectorAll('button')]
        const next = stops[stops.indexOf(event.target) + step]
        event.preventDefault()
        next?.focus()
    }
}

/** @param {import('../store.js').Search} search @param {boolean} online */
function statusText({ query, results, outstanding, complete }, online) {
    if (query === '')
        return t('searchHint')
    if (!online && results === null)
        return t('searchOffline')
    if (outstanding > 0 || results === null)
        return t('searching')
    if (!complete)
        return t('foundPartly', results.length)
    return results.length === 0 ? t('foundNone', query) : t('foundCount', results.length)
}

/** @param {import('../store/room.js').Message} found @param {string} query @param {number} now */
function resultItem(found, query, now) {
    const parts = excerpt(found.text, query)
        .map(({ text, marked }) => (marked ? element('mark', {}, text) : text))
    return element('li', {},
        element('button', { type: 'button', class: 'result', 'data-room': found.room, 'data-id': found.id },
            element('span', { class: 'result-head' },
                element('bdi', { class: 'result-name' }, found.name),
                element('bdi', { class: 'result-room' }, found.room),
                element('time', { datetime: new Date(found.at).toISOString() }, momentOf(found.at, now))),
            element('span', { class: 'result-text', dir: 'auto' }, ...parts)))
}
