import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { afterwards } from "../actions/afterwards";
import { sendOperation } from "../actions/sender";
import { ViewState } from "../actions/viewState";
import { speakFor } from "../api/client";
import type { User } from "../api/types";
import { Journal, type JournalStatus } from "../core/journal";
import { Timings } from "../core/latency";
import { FallbackSegmenter } from "../segmenter/fallbackSegmenter";
import type { Segmenter } from "../segmenter/segmenter";
import { type LocalDatabase, openDatabase } from "../storage/database";
import { closeUploads, isUploading } from "./dataset/useUploads";
import { Loading } from "./kit/kit";
import { useToast } from "./kit/toast";
import { sessionQuery, useSignedOut } from "./session";

const PLACE_KEY = "anymask.decode";

/** Where this browser decodes: a choice in the panel of measured times. */
export type DecodePlace = "browser" | "server";

export const decodePlace = (): DecodePlace => (localStorage.getItem(PLACE_KEY) === "server" ? "server" : "browser");

export function setDecodePlace(place: DecodePlace): void {
  localStorage.setItem(PLACE_KEY, place);
  window.location.reload();
}

/** What outlives a single image: the journal, what this browser keeps, the decoder, the view, the measured times. */
export interface Workbench {
  readonly journal: Journal;
  readonly database: LocalDatabase;
  readonly segmenter: () => Segmenter;
  readonly timings: Timings;
  readonly view: ViewState;
}

const WorkbenchContext = createContext<Workbench | null>(null);

export function useWorkbench(): Workbench {
  const workbench = useContext(WorkbenchContext);
  if (!workbench) throw new Error("useWorkbench needs a Workbench above it.");
  return workbench;
}

export function Workbench({ user, children }: { user: User; children: ReactNode }) {
  const [workbench, setWorkbench] = useState<Workbench | null>(null);
  const toast = useToast();
  const queries = useQueryClient();

  useEffect(() => {
    let closed = false;
    let close: () => void = () => undefined;
    void openDatabase().then(async (database) => {
      const journal = openJournal(user, database);
      const timings = new Timings();
      journal.saved.on((milliseconds) => timings.save.add(milliseconds));
      await journal.open();
      let segmenter: Segmenter | null = null;
      const wake = () => journal.wake();
      const leaving = (event: BeforeUnloadEvent) => {
        if (journal.status().onlyHere > 0 || isUploading()) event.preventDefault();
      };
      window.addEventListener("online", wake);
      window.addEventListener("beforeunload", leaving);
      close = () => {
        window.removeEventListener("online", wake);
        window.removeEventListener("beforeunload", leaving);
        journal.close();
        segmenter?.close();
      };
      if (closed) return close();
      setWorkbench({
        journal,
        database,
        timings,
        view: new ViewState(localStorage),
        // Made with the first image that is opened: the other pages need no decoder.
        segmenter: () => {
          segmenter ??= new FallbackSegmenter(
            new URL(`${import.meta.env.BASE_URL}${__RUNTIME_FOLDER__}`, window.location.href).href,
            decodePlace(),
            () => toast("This browser cannot run the model itself; the server answers instead."),
          );
          return segmenter;
        },
      });
    });
    return () => {
      closed = true;
      close();
    };
  }, [user, toast]);

  useEffect(() => {
    speakFor(user.id);
    return () => {
      closeUploads();
      speakFor(null);
      // Nothing of what one person was shown is there for the next one.
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionQuery.queryKey[0] });
    };
  }, [user.id, queries]);

  const signedOut = useSignedOut();
  useEffect(() => {
    if (!signedOut) workbench?.journal.wake();
  }, [signedOut, workbench]);

  if (!workbench) return <Loading label="Loading" />;
  return <WorkbenchContext value={workbench}>{children}</WorkbenchContext>;
}

function openJournal(user: User, database: LocalDatabase): Journal {
  return new Journal({
    store: database.journal,
    durable: database.durable,
    userId: user.id,
    send: sendOperation,
    now: () => performance.now(),
    later: afterwards,
    // Web Locks exist in secure contexts; without them two tabs may send twice, which the server takes as once.
    exclusive:
      navigator.locks && (async (work) => void (await navigator.locks.request(`anymask-journal-${user.id}`, work))),
  });
}

const statuses = new WeakMap<Journal, JournalStatus>();

/** The journal's state, kept up to date. */
export function useJournalStatus(): JournalStatus {
  const { journal } = useWorkbench();
  return useSyncExternalStore(
    (listener) =>
      journal.changed.on((status) => {
        statuses.set(journal, status);
        listener();
      }),
    () => {
      const known = statuses.get(journal) ?? journal.status();
      statuses.set(journal, known);
      return known;
    },
  );
}
