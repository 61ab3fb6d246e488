// Text, keys and waits of the chat page (Sources/Chat/Resources/text.js, uuid.js, connection.js).

import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { test } from 'node:test'

import { backOff } from '../../Sources/Chat/Resources/connection.js'
import { excerpt, lengthOf, pieces, validName } from '../../Sources/Chat/Resources/text.js'
import { uuid } from '../../Sources/Chat/Resources/uuid.js'

globalThis.crypto ??= webcrypto // as in browsers; Node.js 18 has it under another name only

const links = (text) => pieces(text).filter((piece) => piece.href !== undefined).map((piece) => piece.text)
const marks = (text, query) => excerpt(text, query).filter((part) => part.marked).map((part) => part.text)
const whole = (parts) => parts.map((part) => part.text).join('')

test('the pieces of a text are the text, character by character', () => {
    const texts = ['', ' a\n\n b ', 'http://', 'see https://a.example/x?y=1#z, https://b.example!',
        '<a href="http://c.example">', '看https://d.example/路，好', 'https://e.example/\ud800', 'http://[::1/',
        'a\u202ehttp://f.example\u202c']
    for (const text of texts)
        assert.equal(whole(pieces(text)), text)
})

test('http and https become links, nothing else does', () => {
    assert.deepEqual(links('http://a.example HTTPS://B.example/x'), ['http://a.example', 'HTTPS://B.example/x'])
    assert.deepEqual(links('javascript:alert(1) data:text/html,x ftp://a.example //a.example www.a.example'), [])
    assert.deepEqual(links('javascript:https://a.example'), ['https://a.example'])
    assert.equal(pieces('https://a.example')[0].href, 'https://a.example/')
})

test('punctuation that belongs to the sentence stays outside a link', () => {
    assert.deepEqual(links('(see https://a.example/b).'), ['https://a.example/b'])
    assert.deepEqual(links('https://a.example/Swift_(bird), then'), ['https://a.example/Swift_(bird)'])
    assert.deepEqual(links('看https://a.example/路径，很好。'), ['https://a.example/路径'])
})

test('an excerpt marks each word that was looked for, in either case', () => {
    assert.deepEqual(marks('The Swift is swift.', 'swift'), ['Swift', 'swift'])
    assert.deepEqual(marks('楼燕终于回来了', '回来'), ['回来'])
    assert.deepEqual(marks('what [d] costs: $5 \\', '[d] $5 \\'), ['[d]', '$5', '\\'])
})

test('an excerpt shows the place that was found, and says where it was cut', () => {
    const text = `${'before '.repeat(60)}needle ${'after '.repeat(60)}`
    const shown = whole(excerpt(text, 'needle'))
    assert.match(shown, /^…before .*needle .*…$/u)
    assert.ok(shown.length < 200)
    assert.equal(whole(excerpt('short', 'nothing')), 'short')
    assert.equal(whole(excerpt('two\n  lines', '')), 'two lines')
})

test('an excerpt never cuts a character in two', () => {
    for (let before = 40; before < 60; before += 1) {
        const shown = whole(excerpt(`${'😀'.repeat(before)}x${'😀'.repeat(100)}`, 'x'))
        assert.equal(shown.isWellFormed?.() ?? true, true)
        assert.doesNotMatch(shown, /\p{Cs}/u)
    }
})

test('a name has 1 to 40 characters after trimming and no control characters', () => {
    assert.equal(validName('  Ada Lovelace '), 'Ada Lovelace')
    assert.equal(validName(' \t '), null)
    assert.equal(validName('a\nb'), null)
    assert.equal(validName('a\u2028b'), null)
    assert.equal(validName('e\u0301'), '\u00e9')
    assert.equal(validName('燕'.repeat(40)), '燕'.repeat(40))
    assert.equal(validName('a'.repeat(41)), null)
    assert.equal(lengthOf('a😀'), 2)
})

test('the wait doubles up to ten seconds, and half of it is chance', () => {
    assert.deepEqual([0, 1, 2, 3].map((failures) => backOff(failures, 1)), [400, 800, 1600, 3200])
    assert.equal(backOff(0, 0), 200)
    for (const failures of [5, 16, 1000]) {
        assert.equal(backOff(failures, 1), 10_000)
        assert.equal(backOff(failures, 0), 5_000)
    }
})

test('keys are random UUIDs (RFC 9562 §5.4), each another', () => {
    const keys = new Set(Array.from({ length: 1000 }, uuid))
    assert.equal(keys.size, 1000)
    for (const key of keys)
        assert.match(key, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/u)
})
