// Where the log is scrolled to: it follows the end until the reader scrolls up, and keeps its place when something
// comes in above.

import { motionAllowed } from './motion.js'

/** This near to the end counts as the end, and this near to the start calls for older messages. */
const AT_END = 48
const NEAR_START = 400

/** How long a message that was searched for stays highlighted. */
const HIGHLIGHT = 2500

export class Scroller {
    #following = true
    /** On the way to the end: it is followed although it is not reached yet. */
    #gliding = false
    #watching = false
    /** @type {import('../store.js').State | null} */
    #state = null

    /** @param {HTMLElement} log @param {(event: {type: string}) => void} dispatch */
    constructor(log, dispatch) {
        this.log = log
        this.dispatch = dispatch
        log.addEventListener('scroll', () => this.#scrolled(), { passive: true })
        for (const interruption of ['wheel', 'touchstart', 'pointerdown', 'keydown'])
            log.addEventListener(interruption, () => (this.#gliding = false), { passive: true })
        document.addEventListener('visibilitychange', () => this.#report())
        // The on-screen keyboard and the growing text field make the log smaller: its end stays in sight.
        new ResizeObserver(() => this.#following && this.toEnd()).observe(log)
    }

    get following() {
        return this.#following
    }

    toEnd(smooth = false) {
        this.#following = true
        this.#gliding = smooth && motionAllowed()
        const { scrollHeight, scrollTop, clientHeight } = this.log
        // A long way is not gone through: only its last part is seen to move.
        if (this.#gliding)
            this.log.scrollTop = Math.max(scrollTop, scrollHeight - 2.5 * clientHeight)
        this.log.scrollTo({ top: scrollHeight, behavior: this.#gliding ? 'smooth' : 'instant' })
    }

    /** Scrolls by nearly a page. @param {1 | -1} by */
    page(by) {
        this.#gliding = false
        const top = by * this.log.clientHeight * 0.85
        this.log.scrollBy({ top, behavior: motionAllowed() ? 'smooth' : 'instant' })
    }

    /** Changes the content of the log, and keeps what the reader sees in its place. @param {() => void} change */
    keepPlace(change) {
        const anchor = this.#following ? null : this.#firstVisible()
        const before = anchor?.getBoundingClientRect().top ?? 0
        change()
        if (anchor?.isConnected)
            this.log.scrollTop += anchor.getBoundingClientRect().top - before
        else if (this.#following)
            this.toEnd()
    }

    /** Puts an item in the upper third, or without one goes to the end. @param {HTMLElement | null} item */
    goTo(item) {
        this.toEnd()
        if (item === null)
            return
        const above = item.getBoundingClientRect().top - this.log.getBoundingClientRect().top
        this.log.scrollTop += above - this.log.clientHeight / 4
        this.#scrolled()
    }

    /** Shows an item in the middle, highlighted. @param {HTMLElement} item */
    show(item) {
        this.#following = false
        this.#gliding = false
        item.scrollIntoView({ block: 'center', behavior: 'instant' })
        item.classList.add('highlighted')
        setTimeout(() => item.classList.remove('highlighted'), HIGHLIGHT)
        this.#scrolled()
    }

    /** After a rendering: says whether the end is seen, and asks for older messages where there is room for them.
     * @param {import('../store.js').State} state */
    settle(state) {
        this.#state = state
        this.#report()
        this.#askOlder()
    }

    #scrolled() {
        const { scrollHeight, scrollTop, clientHeight } = this.log
        const atEnd = scrollHeight - scrollTop - clientHeight <= AT_END
        this.#gliding &&= !atEnd
        this.#following = atEnd || this.#gliding
        this.#report()
        this.#askOlder()
    }

    #report() {
        this.#watching = this.#following && document.visibilityState === 'visible'
        if (this.#state !== null && this.#state.watching !== this.#watching)
            this.dispatch({ type: 'watch', watching: this.#watching })
    }

    #askOlder() {
        const room = this.#state?.joined.get(this.#state.current ?? '')
        if (room?.live && room.older && !room.loading && this.log.scrollTop < NEAR_START)
            this.dispatch({ type: 'older' })
    }

    /** @returns {Element | null} */
    #firstVisible() {
        const top = this.log.getBoundingClientRect().top
        const items = this.log.querySelectorAll('.messages > li')
        let low = 0
        let high = items.length
        while (low < high) {
            const middle = (low + high) >> 1
            if (items[middle].getBoundingClientRect().bottom > top)
                high = middle
            else
                low = middle + 1
        }
        return items[low] ?? null
    }
}
