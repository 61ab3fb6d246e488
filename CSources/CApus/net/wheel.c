/* A timer stands in the slot of its deadline, whatever round of the wheel that is in; a slot is looked through when
 * the wheel passes it. Time is a parameter: the loop says what it is. */
#include "net/wheel.h"

void apus__wheel_init(apus_wheel *wheel)
{
    wheel->now = 0;
    wheel->armed = 0;
    for (int i = 0; i < APUS_WHEEL_SLOTS; i++)
        apus_queue_init(&wheel->slots[i]);
}

void apus__timer_init(apus_timer *timer, apus_timer_cb on_fire)
{
    apus_queue_init(&timer->node);
    timer->deadline = 0;
    timer->on_fire = on_fire;
}

void apus__wheel_arm(apus_wheel *wheel, apus_timer *timer, uint64_t delay)
{
    apus__wheel_disarm(wheel, timer);
    /* One more, because part of the present tick has gone by. */
    timer->deadline = wheel->now + 1 + (delay + APUS_WHEEL_TICK - 1) / APUS_WHEEL_TICK;
    apus_queue_append(&wheel->slots[timer->deadline % APUS_WHEEL_SLOTS], &timer->node);
    wheel->armed++;
}

void apus__wheel_disarm(apus_wheel *wheel, apus_timer *timer)
{
    if (timer->deadline == 0)
        return;
    timer->deadline = 0;
    apus_queue_remove(&timer->node);
    wheel->armed--;
}

/* Fires what is due in one slot. Those not yet due go back; the slot is emptied first, so that a timer which is armed
 * for this slot meanwhile waits for its round. */
static void advance_slot(apus_wheel *wheel, apus_queue *slot)
{
    apus_queue passed;
    apus_queue_move(slot, &passed);
    for (apus_queue *node; (node = apus_queue_take(&passed)) != NULL;) {
        apus_timer *timer = APUS_QUEUE_MEMBER(node, apus_timer, node);
        if (timer->deadline > wheel->now) {
            apus_queue_append(slot, node);
            continue;
        }
        timer->deadline = 0;
        wheel->armed--;
        timer->on_fire(timer);
    }
}

void apus__wheel_advance(apus_wheel *wheel, uint64_t now)
{
    /* After a long pause one round meets every slot, and so every timer. */
    if (now - wheel->now > APUS_WHEEL_SLOTS)
        wheel->now = now - APUS_WHEEL_SLOTS;
    while (wheel->now < now) {
        wheel->now++;
        advance_slot(wheel, &wheel->slots[wheel->now % APUS_WHEEL_SLOTS]);
    }
}
