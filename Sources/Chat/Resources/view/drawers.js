// The rooms and the people are columns where there is room for them, and drawers on a narrow screen.

import { byId } from './element.js'

/** From these widths on they are columns; the style sheet has the same numbers. */
const ROOMS_FIT = matchMedia('(min-width: 48rem)')
const PEOPLE_FIT = matchMedia('(min-width: 72rem)')

export class Drawers {
    #scrim = byId('scrim')
    #main = byId('conversation')
    #drawers = [
        { panel: byId('sidebar'), button: byId('open-rooms'), fits: ROOMS_FIT },
        { panel: byId('people-panel'), button: byId('open-people'), fits: PEOPLE_FIT },
    ]

    constructor() {
        for (const drawer of this.#drawers) {
            drawer.button.addEventListener('click', () => this.#toggle(drawer))
            drawer.fits.addEventListener('change', () => this.close())
            drawer.panel.querySelector('[data-close-drawer]').addEventListener('click', () => this.close())
        }
        this.#scrim.addEventListener('click', () => this.close())
        this.#apply(null)
    }

    get isOpen() {
        return this.#drawers.some(({ panel }) => panel.classList.contains('open'))
    }

    close() {
        const open = this.#drawers.find(({ panel }) => panel.classList.contains('open'))
        this.#apply(null)
        open?.button.focus({ preventScroll: true })
    }

    /** A column has no button to open it, except that of the people, which folds it away. */
    #toggle(drawer) {
        if (drawer.fits.matches) {
            byId('app').classList.toggle('alone')
            this.#apply(null)
            return
        }
        this.#apply(drawer.panel.classList.contains('open') ? null : drawer)
        drawer.panel.querySelector('[data-close-drawer]').focus({ preventScroll: true })
    }

    /** @param {object | null} open the drawer to be open, alone */
    #apply(open) {
        for (const drawer of this.#drawers) {
            const folded = drawer.panel.id === 'people-panel' && byId('app').classList.contains('alone')
            const shown = drawer.fits.matches ? !folded : drawer === open
            drawer.panel.classList.toggle('open', drawer === open)
            drawer.panel.inert = !shown || (open !== null && drawer !== open)
            drawer.button.setAttribute('aria-expanded', String(shown))
        }
        this.#scrim.hidden = open === null
        this.#main.inert = open !== null
    }
}
