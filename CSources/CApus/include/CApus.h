/* The network under Apus: loops, listeners, connections, topics. The only header that Swift imports. */
#ifndef CAPUS_H
#define CAPUS_H

#include "apus/client.h"
#include "apus/connection.h"
#include "apus/endpoint.h"
#include "apus/gauge.h"
#include "apus/listener.h"
#include "apus/loop.h"
#include "apus/pair.h"
#include "apus/publication.h"
#include "apus/publish_wait.h"
#include "apus/socket.h"
#include "apus/statistics.h"
#include "apus/tls.h"
#include "apus/tls_context.h"
#include "apus/topic.h"

#endif
