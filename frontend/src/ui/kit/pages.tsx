import { type InfiniteData, type QueryKey, type UseInfiniteQueryResult, useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { messageOf } from "../../api/client";
import type { Page } from "../../api/types";
import { Button, ErrorState, Loading, Note } from "./kit";

/** A list that the server hands out in pages; `data` holds the rows of all that were asked for so far. */
export type Pages<Row> = UseInfiniteQueryResult<Row[]>;

interface PagesOptions<Row> {
  queryKey: QueryKey;
  /** The first page for null, later ones by the link that the one before held. */
  queryFn: (next: string | null) => Promise<Page<Row>>;
  /** Milliseconds until all is asked for again, or false: never. */
  refetchInterval?: (rows: Row[]) => number | false;
}

const rowsOf = <Row,>(data: InfiniteData<Page<Row>> | undefined): Row[] =>
  data?.pages.flatMap((page) => page.results) ?? [];

export function usePages<Row>({ queryKey, queryFn, refetchInterval }: PagesOptions<Row>): Pages<Row> {
  return useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => queryFn(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page: Page<Row>) => page.next,
    select: rowsOf<Row>,
    refetchInterval: refetchInterval && ((query) => refetchInterval(rowsOf(query.state.data))),
  });
}

interface PagedProps<Row> {
  list: Pages<Row>;
  /** What is waited for, in words. */
  loading: string;
  /** Stands where there is no row. */
  empty?: ReactNode;
  /** What the button says. */
  more: string;
  children: (rows: Row[]) => ReactNode;
}

/** The rows of a list in pages and the button for the next page; or the wait, the error, or that there are none. */
export function Paged<Row>({ list, loading, empty, more, children }: PagedProps<Row>) {
  if (list.isPending) return <Loading label={loading} />;
  if (list.isLoadingError) return <ErrorState error={list.error} retry={() => void list.refetch()} />;
  return (
    <>
      {list.data.length === 0 ? empty : children(list.data)}
      <More list={list}>{more}</More>
    </>
  );
}

interface MoreProps {
  list: Pages<unknown>;
  /** Ask for the next page as soon as the button comes into sight. */
  onSight?: boolean;
  children: string;
}

/** The button for the next page, while there is one. What is shown already stays when the server does not answer. */
export function More({ list, onSight, children }: MoreProps) {
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const load = () => void fetchNextPage();
  const button = (
    <Button busy={isFetchingNextPage} onClick={load}>
      {children}
    </Button>
  );
  return (
    <>
      {list.isFetchNextPageError && <Note tone="bad">{messageOf(list.error)}</Note>}
      {hasNextPage && !onSight && <div className="row">{button}</div>}
      {hasNextPage && onSight && (
        <Sight reached={load} blind={isFetchingNextPage || list.isError}>
          {button}
        </Sight>
      )}
    </>
  );
}

interface SightProps {
  reached: () => void;
  blind: boolean;
  children: ReactNode;
}

/** Tells when it comes into sight, and again when it is still in sight after a while of being blind. */
function Sight({ reached, blind, children }: SightProps) {
  const element = useRef<HTMLDivElement>(null);
  const latest = useRef(reached);
  latest.current = reached;
  useEffect(() => {
    if (!element.current || blind) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) latest.current();
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [blind]);
  return (
    <div className="state" ref={element}>
      {children}
    </div>
  );
}
