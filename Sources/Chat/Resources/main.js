// Brings the parts together: events go through the store's step function, what comes out goes to the server and to
// the views.

import { Connection } from './connection.js'
import { followAddress, roomInAddress, showInAddress } from './route.js'
import { loadSaved, Saver } from './saved.js'
import { initial, step } from './store.js'
import { currentRoom } from './store/step.js'
import { firstId, unread } from './store/room.js'
import { Banner } from './view/banner.js'
import { Composer } from './view/composer.js'
import { helpDialog, nameDialog, roomDialog } from './view/dialogs.js'
import { Drawers } from './view/drawers.js'
import { byId } from './view/element.js'
import { LatestButton } from './view/latest.js'
import { MeView } from './view/me.js'
import { MessagesView } from './view/messages.js'
import { PeopleView } from './view/people.js'
import { RoomsView } from './view/rooms.js'
import { SearchView } from './view/search.js'
import { settings } from './view/settings.js'
import { listenForShortcuts, searchKeys, shortcuts } from './view/shortcuts.js'
import { Toast } from './view/toast.js'
import { followKeyboard } from './view/viewport.js'

/** The server answers all messages but these. */
const UNANSWERED = new Set(['typing', 'leave'])

/** A frame that has not come within this time, as in a hidden window, is not waited for. */
const FRAME = 100

/** A touch keyboard covers half the page: there the focus does not go to the text field by itself. */
const touch = matchMedia('(pointer: coarse)')

const saved = loadSaved()
let state = initial({ ...saved, current: roomInAddress() ?? saved.current })
const saver = new Saver(state)
const connection = new Connection(new URL('chat', location.href).href.replace(/^http/u, 'ws'), {
    connecting: () => dispatch({ type: 'connecting' }),
    opened: () => dispatch({ type: 'opened' }),
    closed: (retryAt) => dispatch({ type: 'closed', retryAt }),
    received(message) {
        if (message.type === 'welcome')
            connection.welcomed()
        dispatch({ type: 'received', message, now: Date.now() })
        // A join or a page failed, and the answer does not say which: a new connection asks for all of it again.
        if (message.type === 'error' && message.code === 'unavailable' && message.key === undefined)
            connection.renew()
    },
})

/** @param {{type: string}} event */
function dispatch(event) {
    const { state: next, out } = step(state, event)
    if (next !== state) {
        state = next
        saver.save(state)
        renderSoon()
    }
    for (const message of out)
        connection.transmit(message, !UNANSWERED.has(message.type))
}

const drawers = new Drawers()
const composer = new Composer(dispatch, () => messages.scroller.toEnd())
const messages = new MessagesView(dispatch)
const search = new SearchView(dispatch, enterConversation)
const nameQuestion = nameDialog(dispatch, () => state.name ?? '')
const roomQuestion = roomDialog(dispatch, enterConversation)
const help = helpDialog(shortcuts)
const latest = new LatestButton(messages.scroller)
const views = [
    messages,
    latest,
    composer,
    search,
    new RoomsView(dispatch, enterConversation),
    new PeopleView(dispatch, enterConversation),
    new MeView(),
    new Banner(() => connection.connect()),
    new Toast(),
]

let frame = 0
let frameTimer = 0

/** Many events in a row make one rendering. */
function renderSoon() {
    if (frame !== 0)
        return
    frame = requestAnimationFrame(render)
    frameTimer = setTimeout(render, FRAME)
}

function render() {
    cancelAnimationFrame(frame)
    clearTimeout(frameTimer)
    frame = 0
    const now = Date.now()
    for (const view of views)
        view.render(state, now)
    showInAddress(state.current)
}

/** After a choice in a drawer or dialog the conversation is in front, and the next key writes. */
function enterConversation() {
    drawers.close()
    if (!touch.matches)
        composer.focus()
}

/** @param {1 | -1} by */
function moveRoom(by) {
    const names = [...state.joined.keys()]
    const at = names.indexOf(state.current ?? '')
    dispatch({ type: 'open', room: names[(at + by + names.length) % names.length] })
}

function nextUnread() {
    const rooms = [...state.joined.values()]
    const at = rooms.findIndex((room) => room.name === state.current)
    const after = [...rooms.slice(at + 1), ...rooms.slice(0, at + 1)]
    const room = after.find((candidate) => candidate.name !== state.current && unread(candidate, state.own) > 0)
    if (room !== undefined)
        dispatch({ type: 'open', room: room.name })
}

/** After sleep or a change of network a connection may be dead without knowing: a question shows it. */
function wake() {
    connection.connect()
    const room = currentRoom(state)
    if (state.online && room?.live && !room.loading)
        connection.transmit({ type: 'history', room: room.name, before: (firstId(room) ?? 0) + 1, limit: 1 }, true)
}

function listen() {
    for (const id of ['open-search', 'open-search-bar']) {
        byId(id).addEventListener('click', () => {
            drawers.close()
            search.open()
        })
    }
    byId('search-key').textContent = searchKeys
    byId('rename').addEventListener('click', () => nameQuestion.open())
    byId('new-room').addEventListener('click', () => roomQuestion.open())
    byId('help').addEventListener('click', () => help.open())
    byId('log').addEventListener('scroll', () => latest.render(state), { passive: true })
    addEventListener('online', wake)
    addEventListener('pageshow', (event) => event.persisted && wake())
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake())
    followAddress((room) => room !== state.current && dispatch({ type: 'open', room }))
    listenForShortcuts({
        search: () => search.open(),
        help: () => help.open(),
        moveRoom,
        nextUnread,
        scroll: (by) => messages.scroller.page(by),
        latest: () => messages.scroller.toEnd(true),
        escape: () => (drawers.isOpen ? drawers.close() : composer.focus()),
    })
    // Typing that runs out, and the day that turns.
    setInterval(() => {
        dispatch({ type: 'tick', now: Date.now() })
        messages.render(state, Date.now())
    }, 1000)
}

settings(renderSoon)
followKeyboard()
listen()
render()
connection.connect()
if (!touch.matches)
    composer.focus()
