import { type Query, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { messageOf } from "../api/client";
import { Button, Note } from "./kit/kit";

/** Below the head of a page: what is shown could not be asked for again, so it may be old. */
export function StaleNote() {
  const queries = useQueryClient();
  const cache = queries.getQueryCache();
  const subscribe = useCallback((changed: () => void) => cache.subscribe(changed), [cache]);
  const failed = () => cache.findAll({ type: "active", predicate: isStale });
  const error = useSyncExternalStore(subscribe, () => failed()[0]?.state.error ?? null);
  if (error === null) return null;
  const again = () => queries.refetchQueries({ type: "active", predicate: isStale });
  return (
    <div className="page page--note">
      <Note tone="warn">
        This page shows what the server said last. {messageOf(error)}{" "}
        <Button size="small" onClick={() => void again()}>
          Ask again
        </Button>
      </Note>
    </div>
  );
}

/** Asked again in vain. A next page that did not come is told below the list (kit/pages.tsx). */
const isStale = ({ state: { status, data, fetchMeta } }: Query): boolean =>
  status === "error" && data !== undefined && fetchMeta?.fetchMore === undefined;
