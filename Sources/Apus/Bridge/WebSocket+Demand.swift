import CApus

/// What a socket tells the core to do with messages.
extension WebSocket {
    func demandNone() { handle?.demand(APUS_DEMAND_NONE) }

    @inline(__always)
    func demandOne() { handle?.demand(APUS_DEMAND_ONE) }

    func demandAll() { handle?.demand(APUS_DEMAND_ALL) }
}
