// One WebSocket that is opened again whenever it is lost, and what decides when. Knows JSON, not the protocol.

/** The wait before the first new attempt, doubled after each failure up to the longest. */
const FIRST_WAIT = 400
const LONGEST_WAIT = 10_000

/** How long an opening, or an answer that is due, may take before the connection counts as lost. */
const PATIENCE = 10_000

/** A connection that was welcome this long is sound: after it the waits begin anew from the shortest. */
const SOUND = 5_000

/**
 * How long to wait before an attempt. Half of it is chance, so that the clients of a restarted server do not all
 * come back in the same instant.
 * @param {number} failures how many attempts have failed in a row
 * @param {number} chance from 0 to 1
 */
export function backOff(failures, chance) {
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 16))
    return most / 2 + (most / 2) * chance
}

/**
 * @typedef {object} Listener
 * @property {() => void} connecting
 * @property {() => void} opened
 * @property {(retryAt: number) => void} closed
 * @property {(message: any) => void} received
 */

export class Connection {
    /** @type {WebSocket | null} */
    #socket = null
    #failures = 0
    /** When the server welcomed this connection. */
    #welcomedAt = Infinity
    #retryTimer = 0
    #patienceTimer = 0

    /**
     * @param {string} url
     * @param {Listener} listener
     */
    constructor(url, listener) {
        this.url = url
        this.listener = listener
    }

    /** Connects now, also when an attempt was to come later. Does nothing while there is a connection. */
    connect() {
        if (this.#socket !== null)
            return
        clearTimeout(this.#retryTimer)
        this.listener.connecting()
        const socket = new WebSocket(this.url)
        this.#socket = socket
        this.#expect()
        socket.addEventListener('open', () => this.#isCurrent(socket) && this.#opened())
        socket.addEventListener('message', (event) => this.#isCurrent(socket) && this.#received(event.data))
        socket.addEventListener('close', () => this.#isCurrent(socket) && this.#lost())
    }

    /** The server has welcomed us. One that then fails at once, again and again, is still given longer and longer. */
    welcomed() {
        this.#welcomedAt = performance.now()
    }

    /**
     * Sends if there is an open connection; what must not be lost is the caller's to keep.
     * @param {object} message
     * @param {boolean} answered whether the server is to answer; if nothing at all comes, the connection is lost
     */
    transmit(message, answered) {
        if (this.#socket?.readyState !== WebSocket.OPEN)
            return
        this.#socket.send(JSON.stringify(message))
        if (answered)
            this.#expect()
    }

    /** Gives the connection up for a new one, after the usual wait. */
    renew() {
        if (this.#socket !== null)
            this.#lost()
    }

    /** Starts the clock within which the server must be heard, unless it is running. */
    #expect() {
        if (this.#patienceTimer === 0)
            this.#patienceTimer = setTimeout(() => this.#lost(), PATIENCE)
    }

    #heard() {
        clearTimeout(this.#patienceTimer)
        this.#patienceTimer = 0
    }

    #opened() {
        this.#heard()
        this.listener.opened()
    }

    /** @param {string} data */
    #received(data) {
        this.#heard()
        this.listener.received(JSON.parse(data))
    }

    /** Gives the socket up without waiting for its closing handshake, which a dead network never finishes. */
    #lost() {
        const socket = this.#socket
        this.#socket = null
        this.#heard()
        socket?.close()
        if (performance.now() - this.#welcomedAt >= SOUND)
            this.#failures = 0
        this.#welcomedAt = Infinity
        const wait = backOff(this.#failures, Math.random())
        this.#failures += 1
        this.#retryTimer = setTimeout(() => this.connect(), wait)
        this.listener.closed(Date.now() + wait)
    }

    /** @param {WebSocket} socket */
    #isCurrent(socket) {
        return this.#socket === socket
    }
}
