// The button that leads from further up back to the latest message, and says how many are new there.

import { t } from '../i18n.js'
import { unread } from '../store/room.js'
import { currentRoom } from '../store/step.js'
import { byId, setText } from './element.js'

export class LatestButton {
    #button = byId('latest')
    #text = byId('latest-text')

    /** @param {import('./scroller.js').Scroller} scroller */
    constructor(scroller) {
        this.scroller = scroller
        this.#button.addEventListener('click', () => scroller.toEnd(true))
    }

    /** @param {import('../store.js').State} state */
    render(state) {
        const room = currentRoom(state)
        const count = room === undefined ? 0 : unread(room, state.own)
        this.#button.hidden = this.scroller.following || room === undefined
        this.#button.classList.toggle('new', count > 0)
        setText(this.#text, count > 0 ? t('newBelow', count) : '')
        this.#button.setAttribute('aria-label', count > 0 ? `${t('newBelow', count)}. ${t('toLatest')}` : t('toLatest'))
    }
}
