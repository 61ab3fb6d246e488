import CApusCore
import Testing

/// What the search for a head's end came to, and with which byte.
struct ScanOutcome: Equatable {
    /// As `apus_head_scan` returned it.
    let result: Int
    /// How many bytes had come when the result was known; all of them where it never was.
    let needed: Int

    static func found(_ size: Int) -> Self { Self(result: size, needed: size) }
    static func unfinished(_ count: Int) -> Self { Self(result: 0, needed: count) }
    static func refused(_ error: apus_error, at index: Int) -> Self {
        Self(result: Int(error.rawValue), needed: index + 1)
    }
}

/// A connection's search: the bytes grow, and lie elsewhere each time.
struct Scan {
    private var scanner = apus_head_scanner()
    private var limits: apus_head_limits

    init(limits: apus_head_limits = apus_head_limits()) {
        self.limits = limits
    }

    mutating func more(_ input: some Collection<UInt8>) -> Int {
        let input = GuardedInput(input)
        return withExtendedLifetime(input) { apus_head_scan(&scanner, input.bytes, input.count, &limits) }
    }
}

private func scanBytewise(_ input: [UInt8], _ limits: apus_head_limits) -> ScanOutcome {
    var scan = Scan(limits: limits)
    for count in 0...input.count {
        let result = scan.more(input.prefix(count))
        if result != 0 {
            return ScanOutcome(result: result, needed: count)
        }
    }
    return .unfinished(input.count)
}

/// Scans the input whole, byte by byte, and cut in two at every position: all must come to the same.
func scanInEveryWay(
    _ input: [UInt8], limits: apus_head_limits = apus_head_limits(), sourceLocation: SourceLocation = #_sourceLocation
) -> ScanOutcome {
    let outcome = scanBytewise(input, limits)
    for cut in 0...input.count {
        var scan = Scan(limits: limits)
        let early = scan.more(input.prefix(cut))
        #expect(early == (cut < outcome.needed ? 0 : outcome.result), sourceLocation: sourceLocation)
        #expect(scan.more(input) == outcome.result, "cut at \(cut)", sourceLocation: sourceLocation)
    }
    return outcome
}

func scanInEveryWay(
    _ input: String, limits: apus_head_limits = apus_head_limits(), sourceLocation: SourceLocation = #_sourceLocation
) -> ScanOutcome {
    scanInEveryWay(bytes(input), limits: limits, sourceLocation: sourceLocation)
}
