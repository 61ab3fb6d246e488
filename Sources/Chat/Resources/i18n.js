// Every word that people see, in English and Chinese, and the language in force.

import { load, store } from './storage.js'

/** @typedef {string | ((...values: any[]) => string)} Phrase */

/** @param {number} count @param {string} one @param {string} many */
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`

/** @type {Record<string, Phrase>} */
const english = {
    skip: 'Skip to the message field',
    rooms: 'Rooms',
    yourRooms: 'Your rooms',
    moreRooms: 'More rooms',
    newRoom: 'New room',
    people: 'Here now',
    peopleCount: (count) => plural(count, 'person here', 'people here'),
    peopleMore: (count) => `and ${count} more`,
    unreadCount: (count) => plural(count, 'unread message', 'unread messages'),
    you: 'you',
    youTyped: 'You',
    openRooms: 'Show rooms',
    openPeople: 'Show who is here',
    close: 'Close',
    conversation: 'Conversation',
    messages: 'Messages',
    message: 'Message',
    writeTo: (room) => `Write to ${room}`,
    send: 'Send',
    sending: 'Sending…',
    tooLong: (count) => `${plural(count, 'character', 'characters')} too many`,
    left: (count) => `${plural(count, 'character', 'characters')} left`,
    notSent: 'Not sent.',
    tryAgain: 'Try again',
    discard: 'Discard',
    newMessages: 'New messages',
    toLatest: 'To the latest message',
    newBelow: (count) => plural(count, 'new message', 'new messages'),
    beginning: (room) => `This is where ${room} begins.`,
    beginningHint: 'Say something: everybody in the room will see it, and it will still be here tomorrow.',
    loadingOlder: 'Loading older messages…',
    loading: 'Loading messages…',
    today: 'Today',
    yesterday: 'Yesterday',
    typingOne: (name) => `${name} is typing…`,
    typingTwo: (first, second) => `${first} and ${second} are typing…`,
    typingMany: (count) => `${count} people are typing…`,
    connected: 'Connected',
    connecting: 'Connecting…',
    connectionLost: 'Connection lost. What you write is kept and sent later.',
    connectionBack: 'Connected again.',
    reconnectingIn: (seconds) => `Reconnecting in ${seconds} s…`,
    reconnecting: 'Reconnecting…',
    keeping: 'What you write is kept and sent later.',
    retryNow: 'Retry now',
    changeName: 'Change your name',
    yourName: 'Your name',
    nameHint: 'Everybody sees it beside your messages. 1 to 40 characters.',
    nameBad: 'A name has 1 to 40 characters, at least one of them visible, and no line breaks.',
    save: 'Save',
    cancel: 'Cancel',
    roomName: 'Name of the room',
    roomHint: 'If there is a room of this name already, you join it.',
    create: 'Create',
    leaveRoom: 'Leave this room',
    search: 'Search',
    searchMessages: 'Search messages',
    searchAll: 'All rooms',
    searchHere: (room) => `Only in ${room}`,
    searchHint: 'Finds words in all that has ever been written.',
    searching: 'Searching…',
    searchOffline: 'The search begins as soon as there is a connection.',
    foundNone: (query) => `Nothing found for “${query}”.`,
    foundPartly: (count) => `${plural(count, 'message', 'messages')} so far. The search took too long and stopped; `
        + 'longer or rarer words find more.',
    foundCount: (count) => (count >= 50 ? 'The newest 50 messages' : plural(count, 'message', 'messages')),
    theme: 'Appearance',
    themeAuto: 'Appearance: like the system',
    themeLight: 'Appearance: light',
    themeDark: 'Appearance: dark',
    language: '切换到中文',
    shortcuts: 'Keyboard shortcuts',
    shortcutSend: 'Send the message',
    shortcutBreak: 'Break the line',
    shortcutSearch: 'Search messages',
    shortcutRooms: 'Previous or next room',
    shortcutUnread: 'Next room with unread messages',
    shortcutScroll: 'Scroll the messages',
    shortcutLatest: 'To the latest message',
    shortcutHelp: 'Show these shortcuts',
    shortcutClose: 'Close what is open, go back to the message field',
    noScript: 'This page needs JavaScript.',
    'error:no-such-room': 'There is no such room.',
    'error:bad-name': 'The server does not accept this name.',
    'error:too-long': 'The message is too long.',
    'error:too-many-rooms': 'The server has as many rooms as it can hold.',
    'error:too-fast': 'Too many rooms were made just now. Wait a minute and try again.',
    'error:unavailable': 'The server has a problem. Please try again.',
    'error:gone': 'This message is not there any more.',
    'error:other': (words) => words,
}

/** @type {Record<string, Phrase>} */
const chinese = {
    skip: '跳到消息输入框',
    rooms: '房间',
    yourRooms: '我的房间',
    moreRooms: '更多房间',
    newRoom: '新建房间',
    people: '在线成员',
    peopleCount: (count) => `${count} 人在线`,
    peopleMore: (count) => `还有 ${count} 人`,
    unreadCount: (count) => `${count} 条未读消息`,
    you: '我',
    youTyped: '我',
    openRooms: '显示房间',
    openPeople: '显示在线成员',
    close: '关闭',
    conversation: '对话',
    messages: '消息',
    message: '消息',
    writeTo: (room) => `发消息到 ${room}`,
    send: '发送',
    sending: '发送中…',
    tooLong: (count) => `超出 ${count} 个字`,
    left: (count) => `还可输入 ${count} 个字`,
    notSent: '未发送。',
    tryAgain: '重试',
    discard: '放弃',
    newMessages: '新消息',
    toLatest: '回到最新消息',
    newBelow: (count) => `${count} 条新消息`,
    beginning: (room) => `${room} 从这里开始。`,
    beginningHint: '说点什么吧：房间里的人都会看到，明天它也还在这里。',
    loadingOlder: '正在加载更早的消息…',
    loading: '正在加载消息…',
    today: '今天',
    yesterday: '昨天',
    typingOne: (name) => `${name} 正在输入…`,
    typingTwo: (first, second) => `${first} 和 ${second} 正在输入…`,
    typingMany: (count) => `${count} 人正在输入…`,
    connected: '已连接',
    connecting: '正在连接…',
    connectionLost: '连接已断开。您写的内容会保留，稍后发送。',
    connectionBack: '已重新连接。',
    reconnectingIn: (seconds) => `${seconds} 秒后重新连接…`,
    reconnecting: '正在重新连接…',
    keeping: '您写的内容会保留，稍后发送。',
    retryNow: '立即重试',
    changeName: '修改昵称',
    yourName: '昵称',
    nameHint: '大家会在您的消息旁看到它。1 到 40 个字。',
    nameBad: '昵称为 1 到 40 个字，至少有一个可见字符，不能换行。',
    save: '保存',
    cancel: '取消',
    roomName: '房间名称',
    roomHint: '如果已有同名房间，将直接加入。',
    create: '创建',
    leaveRoom: '离开此房间',
    search: '搜索',
    searchMessages: '搜索消息',
    searchAll: '所有房间',
    searchHere: (room) => `仅在 ${room}`,
    searchHint: '在所有写过的消息中查找。',
    searching: '正在搜索…',
    searchOffline: '连接恢复后将开始搜索。',
    foundNone: (query) => `没有找到“${query}”。`,
    foundPartly: (count) => `${plural(count, 'message', 'messages')} so far. The search took too long and stopped; `
        + 'longer or rarer words find more.',
    foundPartly: (count) => `已找到 ${count} 条。搜索时间过长而中止；用更长或更少见的词可以找到更多。`,
    foundCount: (count) => (count >= 50 ? '最新的 50 条消息' : `${count} 条消息`),
    theme: '外观',
    themeAuto: '外观：跟随系统',
    themeLight: '外观：浅色',
    themeDark: '外观：深色',
    language: 'Switch to English',
    shortcuts: '键盘快捷键',
    shortcutSend: '发送消息',
    shortcutBreak: '换行',
    shortcutSearch: '搜索消息',
    shortcutRooms: '上一个或下一个房间',
    shortcutUnread: '下一个有未读消息的房间',
    shortcutScroll: '滚动消息',
    shortcutLatest: '回到最新消息',
    shortcutHelp: '显示这些快捷键',
    shortcutClose: '关闭打开的窗口，回到输入框',
    noScript: '此页面需要 JavaScript。',
    'error:no-such-room': '没有这个房间。',
    'error:bad-name': '服务器不接受这个名称。',
    'error:too-long': '消息太长。',
    'error:too-many-rooms': '服务器的房间数量已达上限。',
    'error:too-fast': '刚才新建的房间太多，请稍等一分钟再试。',
    'error:unavailable': '服务器出现问题，请重试。',
    'error:gone': '这条消息已不存在。',
    'error:other': (words) => words,
}

const languages = { en: { tag: 'en', phrases: english }, zh: { tag: 'zh-Hans', phrases: chinese } }

/** @typedef {keyof typeof languages} Language */

/** @type {Language} */
let current = chosen()

/** What was chosen here before, or the first of the browser's languages that we speak. @returns {Language} */
function chosen() {
    const saved = load('language', null)
    if (saved in languages)
        return saved
    const spoken = navigator.languages.map((tag) => tag.toLowerCase().split('-')[0])
    return spoken.find((tag) => tag in languages) ?? 'en'
}

/** The language's BCP 47 tag. */
export function languageTag() {
    return languages[current].tag
}

/** @returns {Language} */
export function language() {
    return current
}

export function switchLanguage() {
    current = current === 'en' ? 'zh' : 'en'
    store('language', current)
}

/**
 * A phrase in the language in force.
 * @param {string} key
 * @param {...any} values
 */
export function t(key, ...values) {
    const phrase = languages[current].phrases[key]
    if (phrase === undefined)
        throw new RangeError(`no such phrase: ${key}`)
    return typeof phrase === 'function' ? phrase(...values) : phrase
}

/**
 * The words of an error: ours for the codes we know, otherwise the server's.
 * @param {{code: string, words: string}} error
 */
export function errorWords({ code, words }) {
    const known = `error:${code}` in english ? `error:${code}` : 'error:other'
    return t(known, words)
}

/**
 * Fills in what the page marks with `data-t` (text), `data-t-label` (aria-label) and `data-t-title` (both label and
 * tooltip).
 * @param {ParentNode} root
 */
export function translate(root) {
    document.documentElement.lang = languageTag()
    for (const element of root.querySelectorAll('[data-t]'))
        element.textContent = t(element.dataset.t)
    for (const element of root.querySelectorAll('[data-t-label]'))
        element.setAttribute('aria-label', t(element.dataset.tLabel))
    for (const element of root.querySelectorAll('[data-t-title]')) {
        element.setAttribute('aria-label', t(element.dataset.tTitle))
        element.setAttribute('title', t(element.dataset.tTitle))
    }
}
