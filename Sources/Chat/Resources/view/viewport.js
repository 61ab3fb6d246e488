// Safari's on-screen keyboard lies over the page instead of making it smaller: the page follows what remains visible.

export function followKeyboard() {
    const { visualViewport } = window
    if (visualViewport === null)
        return
    const root = document.documentElement
    function fit() {
        // Zoomed in, the visible part is smaller for another reason.
        const covered = visualViewport.scale > 1.01 ? 0 : window.innerHeight - visualViewport.height
        if (covered > 80)
            root.style.setProperty('--height', `${Math.round(visualViewport.height)}px`)
        else
            root.style.removeProperty('--height')
    }
    visualViewport.addEventListener('resize', fit)
    fit()
}
