// The messages of the current room, in the order of their ids, and after them those still on their way.

import { language, t } from '../i18n.js'
import { currentRoom } from '../store/step.js'
import { unread } from '../store/room.js'
import { dayNumber, dayOf } from './dates.js'
import { byId, element, icon, setChildren, setText } from './element.js'
import { messageItem } from './message.js'
import { Scroller } from './scroller.js'

/** Messages of one person within this time stand together. */
const GROUP = 5 * 60_000

/** @typedef {import('../store.js').State} State */
/** @typedef {import('./message.js').Shown} Shown */
/** @typedef {(event: {type: string}) => void} Dispatch */

export class MessagesView {
    #log = byId('log')
    #list = byId('messages')
    #beginning = byId('beginning')
    /** @type {Map<string, HTMLElement>} by "id:" and the id, or "key:" and the key while it has no id */
    #items = new Map()
    /** @type {string | null} the room that the items are of */
    #room = null
    /** Whether the room has been shown since its messages came: only then a place to scroll to is known. */
    #placed = false
    /** Whether the room was live at the last rendering. */
    #live = false
    /** @type {unknown[]} what the last rendering was made from */
    #last = []

    /** @param {Dispatch} dispatch */
    constructor(dispatch) {
        this.dispatch = dispatch
        this.scroller = new Scroller(this.#log, dispatch)
        this.#list.addEventListener('click', (event) => this.#clicked(event))
    }

    /** @param {State} state @param {number} now */
    render(state, now) {
        const room = currentRoom(state)
        const inputs = [room, state.outbox, state.target, language(), dayNumber(now), state.current, state.name]
        if (inputs.every((input, i) => input === this.#last[i]) && this.#last.length > 0)
            return this.scroller.settle(state)
        this.#last = inputs
        const switched = state.current !== this.#room
        if (switched)
            this.#clear(state.current)
        const shown = itemsOf(state, now)
        this.#chooseVoice(shown, room?.live === true)
        this.#renderBeginning(state)
        this.scroller.keepPlace(() => setChildren(this.#list, this.#itemsFor(shown)))
        this.#place(state)
        this.scroller.settle(state)
    }

    /** @param {string | null} room */
    #clear(room) {
        this.#room = room
        this.#placed = false
        this.#items.clear()
        this.#list.replaceChildren()
        this.scroller.toEnd()
    }

    /**
     * Only what is new at the end of a live room is to be read aloud, not a page of history or of a catch-up.
     * @param {Shown[]} shown
     * @param {boolean} live
     */
    #chooseVoice(shown, live) {
        const { firstElementChild: first, lastElementChild: last } = this.#list
        const prepends = first !== null && first.dataset.key !== shown[0]?.key
        const appends = shown.length > 0 && last?.dataset.key !== shown.at(-1).key
        if (!this.#placed || !this.#live || prepends)
            this.#log.setAttribute('aria-live', 'off')
        else if (appends)
            this.#log.setAttribute('aria-live', 'polite')
        this.#live = live
    }

    /** @param {Shown[]} shown @returns {HTMLElement[]} */
    #itemsFor(shown) {
        const items = new Map()
        const tag = language()
        for (const one of shown) {
            const name = one.id === null ? `key:${one.key}` : `id:${one.id}`
            const there = this.#items.get(name) ?? this.#items.get(`key:${one.key}`)
            items.set(name, messageItem(there, one, tag))
        }
        this.#items = items
        return [...items.values()]
    }

    /** A room just opened shows where the unread begins, or else its end. @param {State} state */
    #place(state) {
        const room = currentRoom(state)
        if (!this.#placed && room !== undefined && (room.known || state.outbox.length > 0)) {
            this.#placed = room.known
            const line = this.#list.querySelector('.new-line')
            this.scroller.goTo(line?.closest('li') ?? null)
        }
        const { target } = state
        const item = target?.room === state.current ? this.#items.get(`id:${target?.id}`) : undefined
        if (item !== undefined) {
            this.scroller.show(item)
            this.dispatch({ type: 'arrived' })
        }
    }

    /** @param {State} state */
    #renderBeginning(state) {
        const room = currentRoom(state)
        const kind = room === undefined || !room.known ? 'loading' : room.older ? 'older' : 'beginning'
        const wanted = [kind, state.current, language()].join('\n')
        if (this.#beginning.dataset.signature === wanted)
            return
        this.#beginning.dataset.signature = wanted
        this.#beginning.dataset.kind = kind
        if (kind === 'beginning') {
            this.#beginning.replaceChildren(icon('swift'), element('h2', {}, t('beginning', state.current)),
                element('p', {}, t('beginningHint')))
        } else {
            setText(this.#beginning, t(kind === 'older' ? 'loadingOlder' : 'loading'))
        }
    }

    /** @param {Event} event */
    #clicked(event) {
        const { retry, discard } = event.target.closest('button')?.dataset ?? {}
        if (retry !== undefined)
            this.dispatch({ type: 'retry', key: retry })
        if (discard !== undefined)
            this.dispatch({ type: 'discard', key: discard })
    }
}

/**
 * What there is to show of the current room.
 * @param {State} state
 * @param {number} now
 * @returns {Shown[]}
 */
function itemsOf(state, now) {
    const room = currentRoom(state)
    const { own } = state
    const stored = (room?.messages ?? []).map((message) => ({
        ...message,
        key: message.key ?? '',
        own: own.has(message.key ?? ''),
        refused: undefined,
    }))
    const waiting = state.outbox
        .filter((pending) => pending.room === state.current)
        .map((pending) => ({ ...pending, id: null, name: state.name ?? '', own: true }))
    let marker = room !== undefined && unreadSince(room, own) ? room.marker : null
    let previous = null
    return [...stored, ...waiting].map((message) => {
        const newDay = previous === null || dayNumber(previous.at) !== dayNumber(message.at)
        const unreadFrom = marker !== null && message.id !== null && message.id > marker && !message.own
        if (unreadFrom)
            marker = null
        const leads = newDay || unreadFrom || previous.own !== message.own || message.at - previous.at > GROUP
            || (!message.own && previous.name !== message.name)
        previous = message
        return { ...message, leads, unreadFrom, day: newDay ? dayOf(message.at, now) : null }
    })
}

/** Whether somebody else wrote after the line. @param {import('../store/room.js').Room} room */
function unreadSince(room, own) {
    return room.marker !== null && unread({ ...room, read: room.marker }, own) > 0
}
