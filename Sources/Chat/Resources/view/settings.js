// Appearance and language.

import { switchLanguage, t, translate } from '../i18n.js'
import { load, store } from '../storage.js'
import { byId } from './element.js'

const THEMES = ['auto', 'light', 'dark']

/** @param {() => void} changed called after the language was switched */
export function settings(changed) {
    const theme = byId('theme')
    let chosen = load('theme', 'auto')
    if (!THEMES.includes(chosen))
        chosen = 'auto'

    function showTheme() {
        const words = t(`theme${chosen[0].toUpperCase()}${chosen.slice(1)}`)
        theme.title = words
        theme.setAttribute('aria-label', words)
        theme.querySelector('use').setAttribute('href', `images/icons.svg#${chosen}`)
        if (chosen === 'auto')
            delete document.documentElement.dataset.theme
        else
            document.documentElement.dataset.theme = chosen
    }

    theme.addEventListener('click', () => {
        chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length]
        store('theme', chosen)
        showTheme()
    })
    byId('language').addEventListener('click', () => {
        switchLanguage()
        translate(document)
        showTheme()
        changed()
    })
    translate(document)
    showTheme()
}
