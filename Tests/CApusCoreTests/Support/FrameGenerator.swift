import CApusCore
import TestSupport

/// Random traffic: messages in random fragments with control frames in between, mostly right.
struct FrameGenerator {
    private var generator: SeededGenerator
    private let characters = [0x41, 0x7a, 0xe9, 0x7ff, 0x800, 0x20ac, 0xffff, 0x10000, 0x1f98a].map(RFC3629.encode)

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// A whole number within the range.
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }

    /// True once in `count` times, on average.
    mutating func once(in count: Int) -> Bool {
        number(1...count) == 1
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[number(0...elements.count - 1)]
    }

    /// Places to cut `count` bytes at, in order.
    mutating func cuts(_ count: Int) -> [Int] {
        (0..<number(0...8)).map { _ in number(0...count) }.sorted()
    }

    /// A few messages, and in half of the cases one thing that is wrong.
    mutating func frames() -> [Frame] {
        var frames = (0..<number(1...4)).flatMap { _ in message() }
        if once(in: 2) {
            spoil(&frames[number(0...frames.count - 1)])
        }
        if once(in: 4) {
            frames.insert(close(), at: number(0...frames.count))
        }
        return frames
    }

    /// Sizes around those where something changes, and few that are large.
    private mutating func size() -> Int {
        switch number(1...100) {
        case 1: number(65534...65537)
        case 2...5: number(200...4000)
        case 6...30: number(120...130)
        default: number(0...40)
        }
    }

    private mutating func message() -> [Frame] {
        let isText = once(in: 2)
        let size = size()
        let payload = isText ? text(size) : bytes(size)
        let borders = once(in: 2) ? [] : (0..<number(1...4)).map { _ in number(0...payload.count) }.sorted()
        var frames: [Frame] = []
        var start = 0
        for (index, end) in (borders + [payload.count]).enumerated() {
            let opcode =
                index > 0 ? APUS_OPCODE_CONTINUATION : isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY
            frames += controls()
            frames.append(Frame(opcode: opcode, payload: Array(payload[start..<end]), fin: index == borders.count))
            start = end
        }
        return frames + controls()
    }

    private mutating func controls() -> [Frame] {
        guard once(in: 4) else { return [] }
        return (0..<number(1...2)).map { _ in
            let payload = bytes(number(0...pick([4, 125])))
            return once(in: 3) ? .pong(payload) : .ping(payload)
        }
    }

    private mutating func close() -> Frame {
        switch number(1...5) {
        case 1: .close()
        case 2: .close(UInt16(number(0...6000)), text(number(0...20)))
        case 3: .close(1000, bytes(number(0...4)))
        default: .close(UInt16(pick([1000, 1001, 3000, 4999])), text(number(0...100)))
        }
    }

    private mutating func spoil(_ frame: inout Frame) {
        switch number(1...8) {
        case 1: frame.opcode = apus_opcode(rawValue: UInt32(number(0...15)))
        case 2: frame.fin.toggle()
        case 3: frame.reserved = UInt8(number(1...7))
        case 4: frame.isMaskingWrong = true
        case 5: frame.form = frame.payload.count < 65536 ? pick([.bits16, .bits64]) : nil
        case 6: frame.payload += bytes(number(1...150))
        default:
            if !frame.payload.isEmpty {
                frame.payload[number(0...frame.payload.count - 1)] = UInt8(number(0...255))
            }
        }
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(number(0...255)) }
    }

    /// Characters of at least `count` bytes.
    private mutating func text(_ count: Int) -> [UInt8] {
        let isASCII = once(in: 2)
        var text: [UInt8] = []
        while text.count < count {
            text += isASCII ? [0x61] : pick(characters)
        }
        return text
    }
}
