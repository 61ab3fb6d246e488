import CApusCore
import TestSupport
import Testing

/// Bytes that stand at the borders of what RFC 3629's table tells apart.
private let leads: [UInt8] = [
    0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
    0xf8, 0xff,
]
private let seconds: [UInt8] = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
private let thirdsAndFourths: [UInt8] = [0x7f, 0x80, 0xbf, 0xc0]

private let borderSequences: [[UInt8]] = leads.flatMap { lead in
    seconds.flatMap { second in
        thirdsAndFourths.flatMap { third in thirdsAndFourths.map { fourth in [lead, second, third, fourth] } }
    }
}

/// A letter: what stands around the bytes that a test is about.
private let filler = UInt8(ascii: "x")

private func filled(_ count: Int) -> [UInt8] {
    [UInt8](repeating: filler, count: count)
}

/// What is to be said where `sequence` stands behind `position` letters and before others, `count` bytes in all.
private func verdict(on sequence: [UInt8], at position: Int, of count: Int) -> UTF8Verdict {
    let alone = RFC3629.judge(sequence + [filler])
    return UTF8Verdict(
        index: alone.index > sequence.count ? count : position + alone.index, isComplete: alone.isComplete)
}

/// The same where nothing stands behind.
private func ending(with sequence: [UInt8], at position: Int) -> UTF8Verdict {
    let alone = RFC3629.judge(sequence)
    return UTF8Verdict(index: position + alone.index, isComplete: alone.isComplete)
}

private let mixedText = bytes(
    "Aé€😀 Съешь ещё этих мягких французских булок, 天地玄黄宇宙洪荒, \u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}"
        + "\u{10ffff} and so on, in plain words that fill a block and more of them: 😀😁😂🤣😃😄😅😆😉😊, said the fox.")

private let allCodePoints = (0...0x10ffff as ClosedRange<UInt32>).filter { !(0xd800...0xdfff ~= $0) }
    .flatMap(RFC3629.encode)

/// ASCII, and what ends inside a character half of the time, of each length.
private let lengthCases = (0...300).flatMap { count in
    [filled(count), Array((mixedText + mixedText)[..<count])].map { ($0, RFC3629.judge($0)) }
}

/// Characters from the borders, ASCII that fills a block now and then, and mostly a bit that fell over.
private let tornCases: [([UInt8], UTF8Verdict)] = {
    var generator = SeededGenerator(seed: 3629)
    let codePoints: [UInt32] = [0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]
    return (0..<600).map { _ in
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 1...60, using: &generator) {
            text += RFC3629.encode(codePoints[Int.random(in: codePoints.indices, using: &generator)])
            text += filled(Int.random(in: 0...9, using: &generator) == 0 ? 64 : 0)
        }
        if Int.random(in: 0...3, using: &generator) > 0 {
            text[Int.random(in: text.indices, using: &generator)] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        }
        return (text, RFC3629.judge(text))
    }
}()

/// Any two bytes, and the verdicts on them behind 63 letters: before more bytes, and at the end.
private let pairCases = (UInt8.min ... .max).flatMap { lead in
    (UInt8.min ... .max).map { second in
        let text = filled(63) + [lead, second, 0x80, 0x80] + filled(63)
        let pair = Array(text[..<65])
        return (
            text: text, pair: pair, expected: verdict(on: Array(text[63..<67]), at: 63, of: text.count),
            expectedAtEnd: ending(with: [lead, second], at: 63)
        )
    }
}

extension SIMDTests {
    struct UTF8Tests {
        private let judge = UTF8Judge()

        @Test(arguments: availableKernelSets) func `every code point but a surrogate is valid`(set: apus_simd) {
            let key: apus_masking_key = 0xfeed_5a17
            var text = allCodePoints
            var validated = apus_utf8(), unmasked = apus_utf8()
            withKernels(set) {
                #expect(apus_utf8_validate(&validated, text, text.count) == text.count)
                text.withUnsafeMutableBufferPointer { text in
                    let start = text.baseAddress!  // not empty
                    apus_mask(start, start, text.count, key)
                    #expect(apus_utf8_unmask(&unmasked, start, start, text.count, key) == text.count)
                }
            }
            #expect(apus_utf8_is_complete(&validated) && apus_utf8_is_complete(&unmasked))
            #expect(text == allCodePoints)
        }

        @Test(arguments: availableKernelSets)
        func `a short text is unmasked if it is valid, and else left as it was`(set: apus_simd) {
            let key: apus_masking_key = 0x5afe_b19d
            var texts = pairCases.map(\.pair)
            for count in 0...Int(APUS_UTF8_SMALL) {
                texts.append(filled(count))
                texts.append(Array((filled(max(0, count - 3)) + [0xe2, 0x82, 0xac]).suffix(count)))
            }
            withKernels(set) {
                for plain in texts where plain.count <= Int(APUS_UTF8_SMALL) {
                    let input = GuardedBuffer(minimumCapacity: plain.count)
                    let start = input.end - plain.count
                    for (index, byte) in plain.enumerated() { start[index] = byte }
                    apus_mask(start, start, plain.count, key)
                    let masked = Array(UnsafeBufferPointer(start: start, count: plain.count))
                    let isValid = judge.verdict(on: plain) == UTF8Verdict(index: plain.count, isComplete: true)
                    let outcome = apus_utf8_unmask_small(start, plain.count, key)
                    let left = Array(UnsafeBufferPointer(start: start, count: plain.count))
                    guard outcome == isValid, left == (isValid ? plain : masked) else {
                        Issue.record("\(plain)")
                        return
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets) func `a surrogate fails at its second byte`(set: apus_simd) {
            withKernels(set) {
                for codePoint in 0xd800...0xdfff as ClosedRange<UInt32> {
                    let text = filled(62) + RFC3629.encode(codePoint) + filled(62)
                    #expect(judge.verdict(on: text) == UTF8Verdict(index: 63, isComplete: false))
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `any two bytes are judged as the table of RFC 3629 says, before more bytes and at the end`(set: apus_simd)
        {
            withKernels(set) {
                for (text, pair, expected, expectedAtEnd) in pairCases {
                    guard judge.verdict(on: text) == expected, judge.verdict(on: pair) == expectedAtEnd else {
                        Issue.record("\(pair[63...])")
                        return
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `each class of sequence is judged as the table says, anywhere around a block's border`(set: apus_simd) {
            withKernels(set) {
                for sequence in borderSequences {
                    for position in 59...66 {
                        let text = filled(position) + sequence + filled(position)
                        let expected = verdict(on: sequence, at: position, of: text.count)
                        let way: UTF8Judge.Way = position % 2 == 0 ? .unmaskInPlace : .unmaskIntoCopy
                        let cut = position + 1 + position % 3
                        guard judge.verdict(on: text) == expected,
                            judge.verdict(on: text, way: way) == expected,
                            judge.verdict(on: text, cuts: [cut]) == expected,
                            judge.verdict(on: text, cuts: [position, cut], way: way) == expected
                        else {
                            Issue.record("\(sequence) at \(position)")
                            return
                        }
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `each class of sequence is judged alike at the end of a piece, and byte by byte`(set: apus_simd) {
            withKernels(set) {
                for sequence in borderSequences {
                    let expected = RFC3629.judge(sequence)
                    for way in UTF8Judge.Way.allCases {
                        #expect(judge.verdict(on: sequence, cuts: [1, 2, 3], way: way) == expected, "\(sequence)")
                    }
                    for position in 60...66 {
                        let count = 1 + position % 4
                        let text = filled(position) + sequence[..<count]
                        guard judge.verdict(on: text) == ending(with: Array(sequence[..<count]), at: position) else {
                            Issue.record("\(sequence[..<count]) at \(position)")
                            return
                        }
                    }
                }
            }
        }

        @Test(
            arguments: [
                [0xc0], [0xc1], [0xf5], [0xf8], [0xfc], [0xff], [0x80], [0xe0, 0x80], [0xe0, 0x9f], [0xed, 0xa0],
                [0xf0, 0x80], [0xf0, 0x8f], [0xf4, 0x90], [0xf4, 0xbf], [0xe2, 0x82, 0x41], [0xf0, 0x9f, 0x98, 0xc0],
            ] as [[UInt8]])
        func `a byte that cannot be right fails with the piece that holds it, and nothing follows`(bytes: [UInt8]) {
            for set in availableKernelSets {
                withKernels(set) {
                    var utf8 = apus_utf8()
                    apus_utf8_init(&utf8)
                    #expect(apus_utf8_validate(&utf8, bytes, bytes.count) == bytes.count - 1)
                    #expect(apus_utf8_validate(&utf8, [filler], 1) == 0)
                    #expect(apus_utf8_validate(&utf8, filled(200), 200) == 0)
                    #expect(!apus_utf8_is_complete(&utf8))
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `a text is judged as if whole, wherever it is cut`(set: apus_simd) {
            var broken = mixedText
            broken[broken.count - 20] = 0xc1
            withKernels(set) {
                for text in [mixedText, broken] {
                    let expected = RFC3629.judge(text)
                    for way in UTF8Judge.Way.allCases {
                        #expect(judge.verdict(on: text, cuts: Array(1..<text.count), way: way) == expected)
                        for cut in 0...text.count {
                            let cuts = [cut, min(cut + 1 + cut % 7, text.count)]
                            #expect(judge.verdict(on: text, cuts: [cut], way: way) == expected, "cut at \(cut)")
                            #expect(judge.verdict(on: text, cuts: cuts, way: way) == expected, "cut at \(cuts)")
                        }
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `a text of any length is judged as the table says, and no byte outside is touched`(set: apus_simd) {
            withKernels(set) {
                for (text, expected) in lengthCases {
                    for edge in UTF8Judge.Edge.allCases {
                        for way in UTF8Judge.Way.allCases {
                            #expect(
                                judge.verdict(on: text, against: edge, way: way) == expected, "\(text.count) \(way)")
                        }
                    }
                }
            }
        }

        @Test(arguments: availableKernelSets)
        func `what is made of borders and torn at random is judged as the table says`(set: apus_simd) {
            var generator = SeededGenerator(seed: 5198)
            withKernels(set) {
                for (text, expected) in tornCases {
                    let cut = Int.random(in: 0...text.count, using: &generator)
                    for way in UTF8Judge.Way.allCases {
                        #expect(judge.verdict(on: text, way: way) == expected)
                        #expect(judge.verdict(on: text, cuts: [cut], way: way) == expected)
                    }
                }
            }
        }
    }
}
