// One's own name and the state of the connection, at the foot of the sidebar; and the title of the window.

import { t } from '../i18n.js'
import { unread } from '../store/room.js'
import { byId, setAvatar, setText } from './element.js'

export class MeView {
    #name = byId('my-name')
    #avatar = byId('my-avatar')
    #state = byId('my-state')
    #button = byId('rename')

    /** @param {import('../store.js').State} state */
    render(state) {
        const name = state.name ?? '…'
        setText(this.#name, name)
        setAvatar(this.#avatar, name)
        setText(this.#state, t(state.online ? 'connected' : 'connecting'))
        this.#state.classList.toggle('online', state.online)
        this.#button.setAttribute('aria-label', `${t('changeName')}: ${name}`)
        const title = windowTitle(state)
        if (document.title !== title)
            document.title = title
    }
}

/** @param {import('../store.js').State} state */
function windowTitle(state) {
    let count = 0
    for (const room of state.joined.values())
        count += unread(room, state.own)
    const where = state.current === null ? 'Apus' : `${state.current} · Apus`
    return count > 0 ? `(${count}) ${where}` : where
}
