/* Headers of CApus that are not public, for tests in Swift. */
#ifndef CAPUS_INTERNALS_H
#define CAPUS_INTERNALS_H

#include "../../CSources/CApus/net/connect.h"
#include "../../CSources/CApus/net/listen.h"
#include "../../CSources/CApus/net/outbound.h"
#include "../../CSources/CApus/net/pipe.h"
#include "../../CSources/CApus/net/random.h"
#include "../../CSources/CApus/net/wheel.h"
#include "../../CSources/CApus/server/fragments.h"

#endif
