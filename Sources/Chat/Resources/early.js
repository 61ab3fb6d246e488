// Runs before the first paint, so that a chosen appearance does not flash. Everything else is in main.js.

'use strict'

{
    let theme = null
    try {
        theme = JSON.parse(localStorage.getItem('apus.theme'))
    } catch (error) {
        // Storage is forbidden or holds something else: the system's appearance is right then.
        console.warn('cannot load theme', error)
    }
    if (theme === 'light' || theme === 'dark')
        document.documentElement.dataset.theme = theme
}
