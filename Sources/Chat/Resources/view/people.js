// Who is in the current room, and who is typing there.

import { t } from '../i18n.js'
import { currentRoom } from '../store/step.js'
import { avatar, byId, element, setText } from './element.js'

/** @typedef {import('../store.js').State} State */

export class PeopleView {
    #title = byId('room-name').firstElementChild
    #count = byId('people-count')
    #button = byId('open-people')
    #list = byId('people')
    #typing = byId('typing')
    #leave = byId('leave')
    #signature = ''

    /** @param {(event: object) => void} dispatch @param {() => void} left */
    constructor(dispatch, left) {
        this.#leave.addEventListener('click', () => {
            dispatch({ type: 'leave', room: this.#leave.dataset.room })
            left()
        })
    }

    /** @param {State} state */
    render(state) {
        const room = currentRoom(state)
        setText(this.#title, state.current ?? '')
        const people = state.online ? room?.members ?? [] : []
        // Of very many people the server lists only the first, but it counts all.
        const listed = state.rooms.find((one) => one.name === state.current)
        const count = people.length === 0 ? 0 : Math.max(people.length, listed?.members ?? 0)
        setText(this.#count, count > 0 ? String(count) : '')
        this.#button.title = t('peopleCount', count)
        this.#button.setAttribute('aria-label', `${t('openPeople')}: ${t('peopleCount', count)}`)
        this.#leave.dataset.room = state.current ?? ''
        this.#leave.hidden = state.joined.size < 2
        this.#renderPeople(people, count - people.length, state.member)
        setText(this.#typing, typingText(room))
        this.#typing.classList.toggle('busy', this.#typing.textContent !== '')
    }

    /**
     * @param {readonly import('../store/room.js').Member[]} people
     * @param {number} more how many are not listed
     * @param {number | null} self
     */
    #renderPeople(people, more, self) {
        const sorted = [...people].sort((a, b) => (b.member === self) - (a.member === self)
            || a.name.localeCompare(b.name) || a.member - b.member)
        const wanted = JSON.stringify([sorted, more, self, t('you')])
        if (wanted === this.#signature)
            return
        this.#signature = wanted
        this.#list.replaceChildren(...sorted.map(({ member, name }) => element('li', { class: 'person' },
            avatar(name),
            element('bdi', { class: 'person-name' }, name),
            member === self ? element('span', { class: 'person-you' }, t('you')) : null)))
        if (more > 0)
            this.#list.append(element('li', { class: 'person person-you' }, t('peopleMore', more)))
    }
}

/** @param {import('../store/room.js').Room | undefined} room */
function typingText(room) {
    const names = [...new Set((room?.typing ?? []).map((person) => person.name))]
    if (names.length === 0)
        return ''
    if (names.length === 1)
        return t('typingOne', names[0])
    return names.length === 2 ? t('typingTwo', names[0], names[1]) : t('typingMany', names.length)
}
