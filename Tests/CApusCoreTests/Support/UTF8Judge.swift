import CApusCore
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Has texts judged by the core; they lie against a page that cannot be touched, and so do their copies.
final class UTF8Judge {
    /// The three ways into the sweep.
    enum Way: CaseIterable { case validate, unmaskInPlace, unmaskIntoCopy }

    /// Which end of a text lies against that page.
    enum Edge: CaseIterable { case start, end }

    private static let key: apus_masking_key = 0xb7d2_91c5
    private static let capacity = 4096
    private let text = GuardedBuffer(minimumCapacity: capacity)
    private let copy = GuardedBuffer(minimumCapacity: capacity)
    private var utf8 = apus_utf8()

    /// The core's verdict on `plain`, which comes in pieces that end at `cuts`.
    func verdict(
        on plain: [UInt8], against edge: Edge = .end, cuts: [Int] = [], way: Way = .validate
    ) -> UTF8Verdict {
        let source = edge == .start ? text.start : text.end - plain.count
        let copied = edge == .start ? copy.start : copy.end - plain.count
        let target = way == .unmaskIntoCopy ? copied : source
        if way == .validate {
            memcpy(source, plain, plain.count)
        } else {
            apus_mask(source, plain, plain.count, Self.key)
        }

        apus_utf8_init(&utf8)
        var index = 0
        for cut in cuts {
            index += take(source, target, from: index, to: cut, way)
            if index < cut {
                break
            }
        }
        if cuts.isEmpty || index == cuts[cuts.count - 1] {
            index += take(source, target, from: index, to: plain.count, way)
        }
        if memcmp(target, plain, index) != 0 {
            Issue.record("not all is unmasked up to the first invalid byte")
        }
        return UTF8Verdict(index: index, isComplete: apus_utf8_is_complete(&utf8))
    }

    private func take(
        _ source: UnsafeMutablePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>, from start: Int, to end: Int,
        _ way: Way
    ) -> Int {
        if way == .validate {
            return apus_utf8_validate(&utf8, source + start, end - start)
        }
        let key = apus_masking_key_advance(Self.key, start)
        return apus_utf8_unmask(&utf8, target + start, source + start, end - start, key)
    }
}
