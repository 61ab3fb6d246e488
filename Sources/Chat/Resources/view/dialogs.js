// The small dialogs: one's name, a new room, the shortcuts. The browser's own dialog element keeps the focus inside,
// closes on Escape and gives the focus back.

import { t } from '../i18n.js'
import { validName } from '../text.js'
import { byId, element, setText } from './element.js'

/** Buttons marked `data-cancel` and a click beside the dialog close it. @param {HTMLDialogElement} dialog */
export function closable(dialog) {
    for (const button of dialog.querySelectorAll('[data-cancel]'))
        button.addEventListener('click', () => dialog.close())
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog)
            dialog.close()
    })
}

/** A dialog that asks for one name. */
class NameQuestion {
    /**
     * @param {string} kind "name" or "room": what the ids begin with
     * @param {(name: string) => void} answered
     */
    constructor(kind, answered) {
        this.dialog = /** @type {HTMLDialogElement} */ (byId(`${kind}-dialog`))
        this.field = /** @type {HTMLInputElement} */ (byId(kind))
        this.error = byId(`${kind}-error`)
        closable(this.dialog)
        this.dialog.querySelector('form').addEventListener('submit', (event) => {
            event.preventDefault()
            const name = validName(this.field.value)
            if (name === null)
                return this.#refuse()
            // First, because it gives the focus back, and the answer may want it elsewhere.
            this.dialog.close()
            answered(name)
        })
        this.field.addEventListener('input', () => this.#accept())
    }

    /** @param {string} text */
    open(text) {
        this.field.value = text
        this.#accept()
        this.dialog.showModal()
        this.field.select()
    }

    #refuse() {
        setText(this.error, t('nameBad'))
        this.field.setAttribute('aria-invalid', 'true')
        this.field.focus()
    }

    #accept() {
        setText(this.error, '')
        this.field.removeAttribute('aria-invalid')
    }
}

/** @param {(event: object) => void} dispatch @param {() => string} myName */
export function nameDialog(dispatch, myName) {
    const question = new NameQuestion('name', (name) => dispatch({ type: 'rename', name }))
    return { open: () => question.open(myName()) }
}

/** @param {(event: object) => void} dispatch @param {() => void} created */
export function roomDialog(dispatch, created) {
    const question = new NameQuestion('room', (room) => {
        dispatch({ type: 'create', room })
        created()
    })
    return { open: () => question.open('') }
}

/** @param {readonly {keys: string[][], words: string}[]} shortcuts */
export function helpDialog(shortcuts) {
    const dialog = /** @type {HTMLDialogElement} */ (byId('help-dialog'))
    closable(dialog)
    return {
        open() {
            byId('shortcuts').replaceChildren(...shortcuts.flatMap(({ keys, words }) => [
                element('dt', {}, ...keys.flatMap((combination, i) => [
                    i > 0 ? ' ' : null,
                    element('span', { class: 'keys' }, ...combination.map((key) => element('kbd', {}, key))),
                ])),
                element('dd', {}, t(words)),
            ]))
            dialog.showModal()
        },
    }
}
