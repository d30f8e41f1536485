import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { messageOf } from "../../api/client";
import { useToast } from "./toast";

/** What is shown of one dataset under these names. */
export const keysOf = (dataset: number, ...names: string[]): QueryKey[] => names.map((name) => [name, dataset]);

/** Has all queries whose keys begin with one of the given asked anew. */
export function useAskAnew() {
  const queries = useQueryClient();
  return useCallback(
    (keys: readonly QueryKey[]) => Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey }))),
    [queries],
  );
}

/** Shows what a change was answered with: a question that was asked before it must not answer after it. */
export function useShow() {
  const queries = useQueryClient();
  return useCallback(
    async (queryKey: QueryKey, answer: unknown) => {
      await queries.cancelQueries({ queryKey, exact: true });
      queries.setQueryData(queryKey, answer);
    },
    [queries],
  );
}

/**
 * A change on the server where no form shows what went wrong: a toast tells it, and where it worked `words`.
 * Whatever came of it, what is shown under `keys` is asked anew.
 */
export function useChange<Given = void, Answer = unknown>(
  change: (given: Given) => Promise<Answer>,
  keys: readonly QueryKey[],
  words?: string,
) {
  const askAnew = useAskAnew();
  const toast = useToast();
  return useMutation({
    mutationFn: change,
    onSuccess: () => words && toast(words),
    onError: (error) => toast(messageOf(error)),
    onSettled: () => askAnew(keys),
  });
}
