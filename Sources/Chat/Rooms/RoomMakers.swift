#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How fast rooms may be made from one address, whatever number of connections come from it.
struct RoomMakers {
    /// The most addresses that are remembered. Above it those that nobody remembers share one bucket.
    static let mostAddresses = 10_000

    private var buckets: [[UInt8]: TokenBucket] = [:]
    private var others = Self.bucket(now: .now)

    /// How many addresses are remembered.
    var count: Int { buckets.count }

    /// 20 rooms at once, then six a minute: a household or an office has several people.
    private static func bucket(now: ContinuousClock.Instant) -> TokenBucket {
        TokenBucket(burst: 20, perSecond: 0.1, now: now)
    }

    /// Takes note of a room that is to be made from this address; returns whether it may be.
    mutating func mayMake(from address: String, now: ContinuousClock.Instant) -> Bool {
        let key = Self.key(of: address)
        if buckets[key] == nil, buckets.count >= Self.mostAddresses {
            buckets = buckets.filter { !$0.value.isFull(now: now) }
        }
        guard buckets[key] != nil || buckets.count < Self.mostAddresses else { return others.takeIfThere(now: now) }
        return buckets[key, default: Self.bucket(now: now)].takeIfThere(now: now)
    }

    /// An address as bytes; of an IPv6 address the first 64 bits, of which a household has all that follow.
    private static func key(of address: String) -> [UInt8] {
        var bytes = in6_addr()
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return Array(address.utf8) }
        return withUnsafeBytes(of: bytes) { Array($0.prefix(8)) }
    }
}
