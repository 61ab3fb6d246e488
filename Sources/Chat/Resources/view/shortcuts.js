// The keyboard: what each combination does, in one table that the help also shows.

const MAC = /Mac|iPhone|iPad/u.test(navigator.platform)
const CONTROL = MAC ? '⌘' : 'Ctrl'
const ALT = MAC ? '⌥' : 'Alt'

/** What the help lists. */
export const shortcuts = [
    { keys: [['Enter']], words: 'shortcutSend' },
    { keys: [['Shift', 'Enter']], words: 'shortcutBreak' },
    { keys: [[CONTROL, 'K']], words: 'shortcutSearch' },
    { keys: [[ALT, '↑'], [ALT, '↓']], words: 'shortcutRooms' },
    { keys: [[ALT, 'Shift', '↓']], words: 'shortcutUnread' },
    { keys: [['Page ↑'], ['Page ↓']], words: 'shortcutScroll' },
    { keys: [[ALT, 'End']], words: 'shortcutLatest' },
    { keys: [[CONTROL, '/']], words: 'shortcutHelp' },
    { keys: [['Esc']], words: 'shortcutClose' },
]

/** The combination that opens the search, for its button. */
export const searchKeys = MAC ? '⌘ K' : 'Ctrl K'

/**
 * @typedef {object} Actions
 * @property {() => void} search
 * @property {() => void} help
 * @property {(step: 1 | -1) => void} moveRoom
 * @property {() => void} nextUnread
 * @property {(step: 1 | -1) => void} scroll
 * @property {() => void} latest
 * @property {() => void} escape
 */

/** @param {Actions} actions */
export function listenForShortcuts(actions) {
    document.addEventListener('keydown', (event) => {
        if (event.isComposing || event.defaultPrevented || document.querySelector('dialog[open]') !== null)
            return
        const action = actionFor(event, actions)
        if (action === null)
            return
        event.preventDefault()
        action()
    })
}

/** @param {KeyboardEvent} event @param {Actions} actions @returns {(() => void) | null} */
function actionFor(event, actions) {
    const control = MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey
    if (control && !event.altKey)
        return { k: actions.search, K: actions.search, '/': actions.help }[event.key] ?? null
    if (event.altKey && !event.ctrlKey && event.key === 'End')
        return actions.latest
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[event.key]
    if (event.altKey && !event.ctrlKey && event.key.startsWith('Arrow') && step !== undefined)
        return event.shiftKey ? actions.nextUnread : () => actions.moveRoom(step)
    const plain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey
    if (plain && event.key.startsWith('Page') && step !== undefined)
        return () => actions.scroll(step)
    return plain && event.key === 'Escape' ? actions.escape : null
}
