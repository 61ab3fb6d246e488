// Makes elements. Data only ever becomes text nodes and attributes; nothing here parses HTML.

const SVG = 'http://www.w3.org/2000/svg'

/** The hues that avatars have in the style sheet. */
const HUES = 8

/**
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null>} [attributes] null and false leave one out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
        if (value !== null && value !== false)
            made.setAttribute(name, value === true ? '' : String(value))
    }
    made.append(...children.filter((child) => child !== null))
    return made
}

/** @param {string} id @template {HTMLElement} T @returns {T} */
export function byId(id) {
    const found = document.getElementById(id)
    if (found === null)
        throw new ReferenceError(`the page has no #${id}`)
    return /** @type {any} */ (found)
}

/** @param {string} name one of the symbols in images/icons.svg */
export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg')
    svg.setAttribute('aria-hidden', 'true')
    const use = document.createElementNS(SVG, 'use')
    use.setAttribute('href', `images/icons.svg#${name}`)
    svg.append(use)
    return svg
}

/** A person's initial on a colour of their own. @param {string} name */
export function avatar(name) {
    const made = element('span', { class: 'avatar', 'aria-hidden': 'true' })
    setAvatar(made, name)
    return made
}

/** @param {HTMLElement} made @param {string} name */
export function setAvatar(made, name) {
    made.dataset.hue = String(hueOf(name))
    made.textContent = initialOf(name)
}

/** The first letter, or for "Guest 4821" and the like the last digits, which tell guests apart. @param {string} name */
function initialOf(name) {
    const digits = /^\p{L}+ (\d+)$/u.exec(name)
    if (digits !== null)
        return digits[1].slice(-2)
    const [first = '?'] = name
    return first.toUpperCase()
}

/** @param {string} name */
function hueOf(name) {
    let hash = 0
    for (const character of name)
        hash = (hash * 31 + character.codePointAt(0)) >>> 0
    return hash % HUES
}

/**
 * Sets a text only where it differs: assistive technology reads what changes.
 * @param {Element} at
 * @param {string} text
 */
export function setText(at, text) {
    if (at.textContent !== text)
        at.textContent = text
}

/**
 * Makes the children of `parent` the given ones, in this order, and moves as few as it can.
 * @param {Element} parent
 * @param {readonly Element[]} wanted
 */
export function setChildren(parent, wanted) {
    const keep = new Set(wanted)
    for (const child of [...parent.children]) {
        if (!keep.has(child))
            child.remove()
    }
    let at = parent.firstElementChild
    for (const child of wanted) {
        if (child === at)
            at = at.nextElementSibling
        else
            parent.insertBefore(child, at)
    }
}
