// Looks into text: links, the place that a search found, the limits of names and messages. No DOM.

// A link ends at white space, quotes, angle brackets, and the punctuation of Chinese, which follows without a space.
const LINK = /\bhttps?:\/\/[^\s<>"'`，。；：！？、（）【】《》「」『』“”‘’]+/giu
const TRAILING = /[.,;:!?*_~]+$/u

/** Control characters and whatever breaks a line. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u

export const NAME_LIMIT = 40

/** Words that stand before and after what was found, in an excerpt. */
const BEFORE = 48
const AFTER = 120

/**
 * Cuts a text into plain pieces and links; together they are the text, character by character.
 * @param {string} text
 * @returns {{text: string, href?: string}[]}
 */
export function pieces(text) {
    const all = []
    let end = 0
    for (const match of text.matchAll(LINK)) {
        const link = withoutTrail(match[0])
        const href = address(link)
        if (href === null)
            continue
        if (match.index > end)
            all.push({ text: text.slice(end, match.index) })
        all.push({ text: link, href })
        end = match.index + link.length
    }
    if (end < text.length)
        all.push({ text: text.slice(end) })
    return all
}

/** Without punctuation that belongs to the sentence, or a bracket opened before the link. @param {string} link */
function withoutTrail(link) {
    let last
    do {
        last = link
        link = link.replace(TRAILING, '')
        if (link.endsWith(')') && count(link, ')') > count(link, '('))
            link = link.slice(0, -1)
        if (link.endsWith(']') && count(link, ']') > count(link, '['))
            link = link.slice(0, -1)
    } while (link !== last)
    return link
}

/** @param {string} text @param {string} character */
function count(text, character) {
    return text.split(character).length - 1
}

/** The address behind a link, or null if it is none. @param {string} link */
function address(link) {
    if (!URL.canParse(link))
        return null
    const url = new URL(link)
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null
}

/**
 * A short part of the text around the first of the words that were looked for, which it marks.
 * @param {string} text
 * @param {string} query
 * @returns {{text: string, marked: boolean}[]}
 */
export function excerpt(text, query) {
    const line = text.replace(/\s+/gu, ' ').trim()
    const words = query.split(/\s+/u).filter((word) => word !== '')
    const pattern = words.length === 0 ? null : new RegExp(words.map(escape).join('|'), 'giu')
    const first = pattern === null ? -1 : line.search(pattern)
    // A few words more are better than an ellipsis instead of them.
    const from = first > BEFORE + 16 ? wordStart(line, first - BEFORE) : 0
    const to = Math.min(line.length, Math.max(first, 0) + AFTER)
    const part = (from > 0 ? '…' : '') + wholeCharacters(line.slice(from, to)) + (to < line.length ? '…' : '')
    return pattern === null ? [{ text: part, marked: false }] : marked(part, pattern)
}

/** @param {string} part @param {RegExp} pattern */
function marked(part, pattern) {
    const all = []
    let end = 0
    for (const match of part.matchAll(pattern)) {
        if (match.index > end)
            all.push({ text: part.slice(end, match.index), marked: false })
        all.push({ text: match[0], marked: true })
        end = match.index + match[0].length
    }
    if (end < part.length)
        all.push({ text: part.slice(end), marked: false })
    return all
}

/** @param {string} word */
function escape(word) {
    return word.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&')
}

/** The start of the next word within reach, so that an excerpt does not begin inside one. @param {string} line */
function wordStart(line, from) {
    const space = line.indexOf(' ', from)
    return space >= 0 && space < from + 16 ? space + 1 : from
}

/** Drops the halves of surrogate pairs that a cut left. @param {string} text */
function wholeCharacters(text) {
    return text.replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/u, '')
}

/** How long the server counts a text at most: in code points. @param {string} text */
export function lengthOf(text) {
    return [...text].length
}

/**
 * The name as the server will have it, or null where it allows none such.
 * @param {string} text
 * @returns {string | null}
 */
export function validName(text) {
    const name = text.trim().normalize('NFC')
    const length = lengthOf(name)
    return length >= 1 && length <= NAME_LIMIT && !CONTROL.test(name) ? name : null
}
