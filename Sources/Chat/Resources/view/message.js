// One message as a list item. An item is made once and then brought up to date, so that it keeps its place, its
// selection and the screen reader's attention.

import { errorWords, t } from '../i18n.js'
import { pieces } from '../text.js'
import { dateAndTimeOf, timeOf } from './dates.js'
import { avatar, element } from './element.js'

/**
 * What an item shows.
 * @typedef {object} Shown
 * @property {number | null} id null while it is not acknowledged
 * @property {string} key
 * @property {string} name
 * @property {string} text
 * @property {number} at
 * @property {boolean} own
 * @property {boolean} leads the first of a group by one person: has the name above it
 * @property {string | null} day the day, above the first message of it
 * @property {boolean} unreadFrom the line "new messages" stands above it
 * @property {{code: string, words: string} | undefined} refused
 */

/** @param {Shown} shown @param {string} language */
function signature(shown, language) {
    const { id, own, leads, day, unreadFrom, refused, at } = shown
    return [id, own, leads, day, unreadFrom, refused?.code, at, language].join('\n')
}

/**
 * @param {HTMLElement | undefined} item the one there is
 * @param {Shown} shown
 * @param {string} language
 * @returns {HTMLElement}
 */
export function messageItem(item, shown, language) {
    const wanted = signature(shown, language)
    if (item?.dataset.signature === wanted)
        return item
    const made = item ?? element('li')
    made.dataset.signature = wanted
    made.dataset.key = shown.key
    if (shown.id === null)
        delete made.dataset.id
    else
        made.dataset.id = String(shown.id)
    made.className = classes(shown)
    // Nobody needs to hear what they have just written, and again when it is acknowledged.
    if (shown.own)
        made.setAttribute('aria-live', 'off')
    made.replaceChildren(...content(shown))
    return made
}

/** @param {Shown} shown */
function classes({ id, own, leads, refused }) {
    const all = ['message']
    if (own)
        all.push('own')
    if (leads)
        all.push('leads')
    if (id === null)
        all.push(refused === undefined ? 'pending' : 'refused')
    return all.join(' ')
}

/** @param {Shown} shown @returns {HTMLElement[]} */
function content(shown) {
    const all = []
    if (shown.day !== null)
        all.push(element('div', { class: 'day' }, element('span', {}, shown.day)))
    if (shown.unreadFrom)
        all.push(element('div', { class: 'new-line' }, element('span', {}, t('newMessages'))))
    const body = element('div', { class: 'body' }, head(shown), bubble(shown), status(shown))
    all.push(element('div', { class: 'row' }, shown.leads && !shown.own ? avatar(shown.name) : null, body))
    return all
}

/** Who and when; in a group only screen readers get it again. @param {Shown} shown */
function head({ name, at, own, leads }) {
    const who = own
        ? element('span', { class: 'visually-hidden' }, t('youTyped'))
        : element('bdi', { class: leads ? 'author' : 'visually-hidden' }, name)
    const time = element('time', { datetime: new Date(at).toISOString(), title: dateAndTimeOf(at) }, timeOf(at))
    return element('div', { class: 'head' }, who, ' ', time)
}

/** @param {Shown} shown */
function bubble({ text }) {
    const made = element('p', { class: 'text', dir: 'auto' })
    for (const piece of pieces(text))
        made.append(piece.href === undefined ? piece.text : link(piece.text, piece.href))
    return made
}

/** @param {string} text @param {string} href */
function link(text, href) {
    return element('a', { href, target: '_blank', rel: 'noopener noreferrer' }, text)
}

/** @param {Shown} shown @returns {HTMLElement | null} */
function status({ id, key, refused }) {
    if (id !== null)
        return null
    if (refused === undefined)
        return element('div', { class: 'status' }, t('sending'))
    const button = (attribute, words) =>
        element('button', { type: 'button', class: 'text-button', [attribute]: key }, words)
    return element('div', { class: 'status' },
        element('span', {}, `${t('notSent')} ${errorWords(refused)}`),
        element('span', { class: 'choices' },
            button('data-retry', t('tryAgain')), button('data-discard', t('discard'))))
}
