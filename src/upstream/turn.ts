/**
 * One turn of the event loop as those see it who write in it: what they gather lies in rooms of the arena, and when everything that was
 * readable has been read it all goes out, one after the other. While connections are accepted a turn is held (accept-hold.ts): it goes on
 * with the next one's.
 */
import { acceptHold } from './accept-hold.ts';
import { freeWriteRoom, spareWriteRoom, type WriteRoom } from './arena.ts';

/** Whoever has something to write at a turn's end. */
export interface TurnMember {
  /** The turn is over. From now on its room is used anew, but for what is held of it. */
  flush(): void;
}

let members: TurnMember[] = [];
let work: (() => void) | null = null;
/** Whether the turn's end is waited for: once, however often the room was full meanwhile. */
let ending = false;
let room = freeWriteRoom();
/** Full ones of this turn, while it is held. */
const fullRooms: WriteRoom[] = [];

/** The room that is gathered in now. Any `turnRoomWith` may make it another one. */
export function turnRoom(): WriteRoom {
  return room;
}

/** The same, with `size` bytes free in it, at most 64 KiB: where there are less, everyone's writes go out before. */
export function turnRoomWith(size: number): WriteRoom {
  if (!room.hasRoomFor(size)) makeRoom();
  return room;
}

/** Has `member` flushed, once, when the turn is over. */
export function joinTurn(member: TurnMember): void {
  members.push(member);
  awaitEnd();
}

/** Has `task` called, once, when everything that was readable in this turn has been read: before what it writes goes out. One task for all. */
export function workBeforeWrites(task: () => void): void {
  work = task;
  awaitEnd();
}

function awaitEnd(): void {
  if (ending) return;
  ending = true;
  setImmediate(endTurn);
}

/** Does what waits for the turn's end already now: for whoever judges by what has come. */
export function workNow(): void {
  while (work !== null) {
    const task = work;
    work = null;
    task();
  }
}

function endTurn(): void {
  workNow();
  if (acceptHold.holds()) {
    setImmediate(endTurn);
  } else {
    ending = false;
    flushAll();
  }
}

/** What a turn that is held wrote goes into the next room, since whoever is answered has more to say. */
function makeRoom(): void {
  const spare = acceptHold.mayHold ? spareWriteRoom(room) : null;
  if (spare === null) {
    flushAll();
    return;
  }
  room.hold();
  fullRooms.push(room);
  room = spare;
}

function flushAll(): void {
  const flushed = members;
  members = [];
  for (const member of flushed) member.flush();
  for (let full = fullRooms.pop(); full !== undefined; full = fullRooms.pop()) full.release();
  // What a peer has not taken stays where it is: a client that does not read holds one room, within what may wait for it anyway.
  if (room.inUse) room = freeWriteRoom();
  else room.clear();
}
