// What stays in the browser. Storage may be full or forbidden: then the page works, but remembers nothing.

const PREFIX = 'apus.'

/**
 * @template T
 * @param {string} key
 * @param {T} otherwise
 * @param {() => Storage} area a function, since merely naming `localStorage` may throw
 * @returns {T}
 */
export function load(key, otherwise, area = () => localStorage) {
    try {
        const text = area().getItem(PREFIX + key)
        return text === null ? otherwise : JSON.parse(text)
    } catch (error) {
        console.warn(`cannot load ${key}`, error)
        return otherwise
    }
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {() => Storage} area
 */
export function store(key, value, area = () => localStorage) {
    try {
        area().setItem(PREFIX + key, JSON.stringify(value))
    } catch (error) {
        console.warn(`cannot store ${key}`, error)
    }
}

/** The area of this tab alone, which a reload keeps. */
export const tab = () => sessionStorage
