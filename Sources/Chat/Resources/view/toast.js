// A short note at the edge of the page when the server refuses something.

import { errorWords } from '../i18n.js'
import { byId } from './element.js'

const LASTS = 6000

export class Toast {
    #toast = byId('toast')
    #serial = 0
    #timer = 0

    /** @param {import('../store.js').State} state */
    render({ notice }) {
        if (notice === null || notice.serial === this.#serial)
            return
        this.#serial = notice.serial
        this.#toast.textContent = errorWords(notice)
        this.#toast.classList.add('shown')
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.#toast.classList.remove('shown'), LASTS)
    }
}
