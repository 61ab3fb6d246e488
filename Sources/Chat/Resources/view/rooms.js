// The rooms in the sidebar: those taken part in, with what is unread, and the others.

import { language, t } from '../i18n.js'
import { unread } from '../store/room.js'
import { byId, element, setChildren } from './element.js'

/** @typedef {import('../store.js').State} State */

/** A count above this is shown as "99+". */
const MOST = 99

export class RoomsView {
    #joined = byId('rooms')
    #others = byId('more-rooms')
    #othersHead = byId('more-rooms-head')
    #dot = byId('unread-elsewhere')
    /** @type {Map<string, HTMLElement>} */
    #items = new Map()

    /** @param {(event: object) => void} dispatch @param {() => void} opened called when a room was chosen */
    constructor(dispatch, opened) {
        for (const list of [this.#joined, this.#others]) {
            list.addEventListener('click', (event) => {
                const room = event.target.closest('button')?.dataset.room
                if (room === undefined)
                    return
                dispatch({ type: 'open', room })
                opened()
            })
        }
    }

    /** @param {State} state */
    render(state) {
        const counts = new Map(state.rooms.map((room) => [room.name, room.members]))
        const items = new Map()
        const item = (name, unreadCount) => {
            const made = roomItem(this.#items.get(name), {
                name, unreadCount, members: state.online ? counts.get(name) ?? 0 : 0, current: name === state.current,
            })
            items.set(name, made)
            return made
        }
        const joined = [...state.joined.values()].map((room) => item(room.name, unread(room, state.own)))
        const others = state.rooms.filter((room) => !state.joined.has(room.name)).map((room) => item(room.name, 0))
        setChildren(this.#joined, joined)
        setChildren(this.#others, others)
        this.#othersHead.hidden = others.length === 0
        this.#items = items
        this.#dot.hidden = unreadElsewhere(state) === 0
    }
}

/** @param {State} state */
export function unreadElsewhere(state) {
    let count = 0
    for (const room of state.joined.values()) {
        if (room.name !== state.current)
            count += unread(room, state.own)
    }
    return count
}

/**
 * @param {HTMLElement | undefined} item
 * @param {{name: string, unreadCount: number, members: number, current: boolean}} room
 */
function roomItem(item, { name, unreadCount, members, current }) {
    const wanted = [unreadCount, members, current, language()].join(' ')
    if (item?.dataset.signature === wanted)
        return item
    const made = item ?? element('li', {}, element('button', { type: 'button', class: 'room', 'data-room': name }))
    made.dataset.signature = wanted
    const button = made.firstElementChild
    button.classList.toggle('unread', unreadCount > 0)
    if (current)
        button.setAttribute('aria-current', 'page')
    else
        button.removeAttribute('aria-current')
    button.replaceChildren(
        element('bdi', { class: 'room-name' }, name),
        unreadCount > 0 ? badge(unreadCount) : here(members),
    )
    return made
}

/** @param {number} count */
function badge(count) {
    return element('span', { class: 'badge' },
        element('span', { 'aria-hidden': 'true' }, count > MOST ? `${MOST}+` : String(count)),
        element('span', { class: 'visually-hidden' }, ` ${t('unreadCount', count)}`))
}

/** @param {number} count */
function here(count) {
    return element('span', { class: 'here', title: t('peopleCount', count) },
        element('span', { 'aria-hidden': 'true' }, count > 0 ? String(count) : ''),
        element('span', { class: 'visually-hidden' }, ` ${t('peopleCount', count)}`))
}
