export function Logo({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0f6b63" />
      <path
        d="M9 21.5c-2.600-3.600-1.200-9.400 3.400-11.600 4.300-2 7.200.9 9.800 2.700 2.800 1.900 3 6.800-.2 9.300-3.700 2.900-10.300 3.300-13-.4Z"
        fill="#8ff0e0"
      />
      <circle cx="15.500" cy="16" r="3" fill="#0f6b63" />
    </svg>
  );
}
