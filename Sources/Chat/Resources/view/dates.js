// Times and days in the words of the language in force.

import { languageTag, t } from '../i18n.js'

/** @type {Map<string, Intl.DateTimeFormat>} making one is slow, using one is not */
const formats = new Map()

/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
    const key = languageTag() + JSON.stringify(options)
    if (!formats.has(key))
        formats.set(key, new Intl.DateTimeFormat(languageTag(), options))
    return formats.get(key)
}

/** @param {number} at ms since 1970 @returns {string} the hour and the minute */
export function timeOf(at) {
    return format({ hour: 'numeric', minute: '2-digit' }).format(at)
}

/** @param {number} at @returns {string} all of it */
export function dateAndTimeOf(at) {
    return format({ dateStyle: 'full', timeStyle: 'short' }).format(at)
}

/** Days since 1970 as they are counted here. @param {number} at */
export function dayNumber(at) {
    const date = new Date(at)
    return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000)
}

/** @param {number} at @param {number} now @returns {string} */
export function dayOf(at, now) {
    const ago = dayNumber(now) - dayNumber(at)
    if (ago === 0)
        return t('today')
    if (ago === 1)
        return t('yesterday')
    if (new Date(at).getFullYear() === new Date(now).getFullYear())
        return format({ weekday: 'long', month: 'long', day: 'numeric' }).format(at)
    return format({ dateStyle: 'long' }).format(at)
}

/** The time alone today, the day with it before. @param {number} at @param {number} now */
export function momentOf(at, now) {
    if (dayNumber(at) === dayNumber(now))
        return timeOf(at)
    return format({ month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' }).format(at)
}
